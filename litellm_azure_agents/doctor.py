"""Checks whether everything that a call to an agent needs is there, and says what to do if not.

>>> from litellm_azure_agents import doctor
>>> for finding in doctor.diagnose(agent="asst_…", api_base="https://…"):  # doctest: +SKIP
...     print(finding.check, finding.status, finding.message)

The checks build on one another: after a failure, those that depend on it are left out. `diagnose`
is an iterator, so that each finding is there as soon as it is known. It blocks; from an event loop
run it in a thread.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

from .auth.resolve import DEFAULT_SCOPE
from .core import errors
from .core.actions import Actions, Reply, Request, Send
from .core.endpoint import Endpoint, base_from_environment, check_agent, resolve_base
from .core.exchange import request
from .core.findings import Finding
from .core.json_values import Json, as_object, as_text
from .core.service_errors import parse_error
from .drivers.background import background
from .drivers.connection import Connection, Requests
from .host.chunks import cost_of
from .host.connection import connect
from .host.registration import RegistrationError, register
from .responses.target import resolve_target
from .tool_loop.loop import run_tools

__all__ = ["Finding", "decode_token", "diagnose"]

_PROJECT = re.compile(r"^https://[\w.-]+/api/projects/[^/]+$")
_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SOON = 300.0
_QUESTION = "Answer with the one word: ready"
_ROLE = (
    "give this identity the role 'Azure AI User' (or 'Foundry User') on the project, and wait some "
    "minutes"
)
_SIGN_IN = (
    "set AZURE_AI_API_KEY, or sign in: az login (needs 'litellm-azure-agents[identity]'), or set "
    "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
)


def diagnose(
    *, agent: str | None = None, turn: bool = True, **connection: Any
) -> Iterator[Finding]:
    """Check the plugin, LiteLLM, the endpoint, the credential, the role, and an agent if given.

    ``turn`` asks the agent one question and deletes its thread; that costs tokens. Raises nothing
    for what it finds wrong.
    """
    plugin = list(_plugin())
    yield from plugin
    endpoint = _endpoint(connection.get("api_base"))
    yield endpoint
    if endpoint.status == "failed" or any(found.status == "failed" for found in plugin):
        return
    base = resolve_base(connection.get("api_base"))
    style = _style(base, agent)
    if style == "container":  # it is asked without a token, and has no agents but its own
        if turn and agent is not None:
            yield _turn(agent, connection)
        return
    try:
        at = connect(**connection)
    except Exception as error:
        yield Finding("credential", "failed", _text(error), _SIGN_IN)
        return
    token = list(_token(at, connection.get("azure_scope")))
    yield from token
    if any(found.status == "failed" for found in token):
        return
    if style in ("project", "agent"):
        project = list(_project(at))
        yield from project
        if any(found.status == "failed" for found in project):
            return
    if agent is None:
        yield Finding("agent", "warning", "not checked: no agent is named", "name an agent")
        return
    if style in ("project", "agent"):
        found = _agent(at, agent)
        yield found
        if found.status == "failed":
            return
    if turn:
        yield _turn(agent, connection)


# -- here --------------------------------------------------------------------------------------


def _plugin() -> Iterator[Finding]:
    found = version("litellm")
    low, high = _range()
    inside = low <= _numbers(found) < high
    needs = f">={'.'.join(map(str, low))},<{'.'.join(map(str, high))}"
    yield Finding(
        "LiteLLM",
        "ok" if inside else "failed",
        f"version {found}" + ("" if inside else f" is outside of {needs}"),
        "" if inside else f"pip install 'litellm{needs}'",
    )
    try:
        register()
    except RegistrationError as error:
        advice = "install a version of LiteLLM that this plugin is tested with"
        yield Finding("plugin", "failed", str(error), advice)
        return
    try:
        own = version("litellm-azure-agents")
    except PackageNotFoundError:  # a source tree
        own = "(not installed)"
    message = f"version {own} is active for azure_ai/agents/… and azure_agents/…; all seams present"
    yield Finding("plugin", "ok", message)


def _range() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The versions of LiteLLM that this package asks for: from, and up to."""
    try:
        needed = next(n for n in requires("litellm-azure-agents") or () if n.startswith("litellm["))
    except (PackageNotFoundError, StopIteration):
        return (0,), (1000,)
    low, high = (re.search(sign + r"\s*([\d.]+)", needed) for sign in (">=", "<(?!=)"))
    return _numbers(low[1] if low else "0"), _numbers(high[1] if high else "1000")


def _numbers(text: str) -> tuple[int, ...]:
    found = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(map(int, found[0].split("."))) if found else ()


def _endpoint(api_base: str | None) -> Finding:
    advice = (
        "copy it from the project's overview in the Foundry portal: "
        "https://<account>.services.ai.azure.com/api/projects/<project>"
    )
    try:
        base = resolve_base(api_base)
    except ValueError as error:
        return Finding("endpoint", "failed", str(error), advice)
    source = "" if api_base or not base_from_environment() else " (from the environment)"
    if _style(base, None) == "project" and not _PROJECT.match(base):
        local = re.match(r"^https?://(?:localhost|127\.|\[::1\])", base)
        if not local:
            message = f"{base} does not look like a project's endpoint"
            return Finding("endpoint", "warning", message, advice)
    return Finding("endpoint", "ok", base + source)


def _style(base: str, agent: str | None) -> str:
    try:
        return resolve_target(base, (agent or "agent").partition(":")[0]).style
    except ValueError:
        return "agent"  # the endpoint of another agent: the turn says so


# -- the token ---------------------------------------------------------------------------------


def decode_token(token: str) -> Mapping[str, Any] | None:
    """The claims of a JWT, not verified; None for what is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


def _token(at: Connection, scope: str | None) -> Iterator[Finding]:
    source = at.token.source
    try:
        token = background().run(at.token.get())
    except errors.CredentialError as error:
        yield Finding("credential", "failed", _text(error), _SIGN_IN)
        return
    yield Finding("credential", "ok", source)
    claims = decode_token(token)
    if claims is None:
        yield Finding("token", "ok", "a key or an opaque token: it names no audience and no expiry")
        return
    wanted = (scope or DEFAULT_SCOPE).removesuffix("/.default").rstrip("/")
    audience, expires = str(claims.get("aud")), claims.get("exp")
    # Tokens of version 2 have the application's id instead of its address.
    if audience.rstrip("/") != wanted and not _ID.fullmatch(audience):
        message = f"the audience is {audience}, not {wanted}"
        advice = f"get a token for {wanted}/.default, or set azure_scope"
        yield Finding("token", "failed", message, advice)
        return
    message = f"for {audience}"
    if isinstance(expires, (int, float)):
        left = expires - time.time()
        when = datetime.fromtimestamp(expires, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        if left <= 0:
            yield Finding("token", "failed", f"it expired at {when}", "get a new token")
            return
        message += f", until {when} ({timedelta(seconds=int(left))} left)"
        if left < _SOON:
            yield Finding(
                "token", "warning", message, "a fixed token is not renewed: get a new one"
            )
            return
    yield Finding("token", "ok", message)


# -- the project -------------------------------------------------------------------------------


def _project(at: Connection) -> Iterator[Finding]:
    """Whether the project answers, takes the token and the api-version, and gives the role."""
    classic, root = at.call.endpoint, Endpoint(at.call.endpoint.base, "v1")
    query = [("limit", "1")]
    began = time.monotonic()
    try:
        old = _get(at, classic.url("assistants", query=query))
        new = _get(at, root.url("agents", query=query))
    except Exception as error:
        advice = "check the address, the network, and whether a private endpoint is in the way"
        yield Finding("reachable", "failed", _text(error), advice)
        return
    yield Finding("reachable", "ok", f"answers in {(time.monotonic() - began) / 2 * 1000:.0f} ms")
    best = old if old.ok else new
    status = best.status
    said = parse_error(best).message
    if status == 401:
        advice = "check the token's tenant and audience; a key of another resource is refused, too"
        yield Finding("role", "failed", f"401: the token is refused: {_scrubbed(at, said)}", advice)
        return
    if status == 403:
        yield Finding(
            "role", "failed", f"403: no right to read agents: {_scrubbed(at, said)}", _ROLE
        )
        return
    if status == 404:
        advice = "check the project's name in the endpoint"
        yield Finding(
            "role", "failed", f"404: there is no such project: {_scrubbed(at, said)}", advice
        )
        return
    if not best.ok:
        yield Finding("role", "failed", f"{status}: {_scrubbed(at, said)}", "try again later")
        return
    yield Finding("role", "ok", "may read the project's agents")
    number = classic.api_version
    if old.ok:
        yield Finding("api version", "ok", f"classic agents: {number}; new agents: v1")
    else:
        message = f"classic agents: {number} is refused: {_scrubbed(at, parse_error(old).message)}"
        advice = "leave api_version out, unless the project has new agents only"
        yield Finding("api version", "warning", message, advice)


def _agent(at: Connection, agent: str) -> Finding:
    try:
        check_agent(agent)
    except ValueError as error:
        return Finding("agent", "failed", str(error), "correct the agent's id or name")
    classic = agent.startswith("asst_")
    endpoint = at.call.endpoint
    if classic:
        url = endpoint.url("assistants", agent)
    else:
        url = str(resolve_target(endpoint.base, agent, style="project").definition_url)
    try:
        reply = _get(at, url)
    except Exception as error:
        return Finding("agent", "failed", _text(error), "try again")
    found = reply.object()
    if reply.status == 404:
        advice = "see `litellm-azure-agents agents list`; ids and names are in the Foundry portal"
        return Finding("agent", "failed", f"there is no agent {agent!r}", advice)
    if not reply.ok or found is None:
        message = f"{reply.status}: {_scrubbed(at, parse_error(reply).message)}"
        return Finding("agent", "failed", message, "see the message")
    if classic:
        return Finding(
            "agent",
            "ok",
            f"{agent} is a classic agent (threads and runs) on {as_text(found.get('model'))}",
        )
    latest = as_object(as_object(found.get("versions")).get("latest")) or found
    definition = as_object(latest.get("definition"))
    if found.get("state") == "disabled":
        advice = "enable it in the Foundry portal"
        return Finding("agent", "failed", f"{agent} is disabled", advice)
    kind = as_text(definition.get("kind")) or "prompt"
    number = as_text(latest.get("version"))
    model = as_text(definition.get("model"))
    return Finding(
        "agent",
        "ok",
        f"{agent} is a new agent (Responses protocol), {kind}, version {number}"
        + (f", on {model}" if model else ""),
    )


def _get(at: Connection, url: str) -> Reply:
    def run() -> Actions[Reply]:
        return (
            yield from request(
                at.call, Send(Request("GET", url)), doing="ask the project", repeatable=True
            )
        )

    reply: Reply = at.perform(Requests(run()))
    return reply


def _turn(agent: str, connection: Json) -> Finding:
    began = time.monotonic()
    try:
        response = run_tools(
            model=f"azure_ai/agents/{agent}",
            messages=[{"role": "user", "content": _QUESTION}],
            functions=[],
            ephemeral_thread=True,
            drop_params=True,
            **connection,
        )
    except Exception as error:
        advice = "see the message; `litellm-azure-agents runs show` has the run's steps"
        return Finding("turn", "failed", _text(error), advice)
    choice, usage, cost = response.choices[0], response.usage, cost_of(response)
    seconds = time.monotonic() - began
    tokens = f"{usage.prompt_tokens} + {usage.completion_tokens} tokens"
    price = "cost unknown" if cost is None else f"${cost:.6f}"
    message = f"{choice.finish_reason} in {seconds:.1f} s, {tokens}, {price}"
    if choice.finish_reason == "tool_calls":
        names = ", ".join(call.function.name for call in choice.message.tool_calls or ())
        message += f"; it asked for {names}"
    return Finding("turn", "ok", message)


def _text(error: BaseException) -> str:
    """An error's message; LiteLLM's own begins with its class and provider."""
    text = str(getattr(error, "message", error)) or type(error).__name__
    return re.sub(r"^litellm\.\w+: (?:\w+ - )?", "", text)


def _scrubbed(at: Connection, text: str) -> str:
    return at.call.context.scrub(text)
