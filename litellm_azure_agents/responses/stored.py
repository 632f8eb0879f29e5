"""`litellm.get_responses` and its like for new agents: stored responses, read and removed.

LiteLLM knows neither agent nor model there but what is among its parameters: behind a proxy the
deployment's, otherwise the argument ``model``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..auth.resolve import TokenSource
from ..core import errors
from ..core.actions import Emit, Reply, Request, Send, Steps
from ..core.call import Call
from ..core.endpoint import check_id
from ..core.exchange import LostAnswer, request
from ..drivers import AsyncDriver, SyncDriver
from ..host.responses_api import context_of, http_response, own_options, params_of, understand

OPERATIONS: dict[str, tuple[str, tuple[str, ...], str]] = {
    # LiteLLM's handler: method, what follows the id, and the config's function for the answer
    "get_responses": ("GET", (), "transform_get_response_api_response"),
    "delete_response_api_handler": ("DELETE", (), "transform_delete_response_api_response"),
    "cancel_response_api_handler": ("POST", ("cancel",), "transform_cancel_response_api_response"),
    "list_responses_input_items": (
        "GET",
        ("input_items",),
        "transform_list_input_items_response",
    ),
}
_QUERY = ("after", "before", "limit", "order")
_PREFIXES = ("azure_ai/agents/", "azure_agents/", "agents/")


def agent_of(given: Mapping[str, Any]) -> str | None:
    """The agent whose response is meant, or None when no agent is."""
    model = str(params_of(given).get("model") or "")
    for prefix in _PREFIXES:
        if model.startswith(prefix):
            return model.removeprefix(prefix)
    return None


class StoredTurn:
    """One request about a stored response."""

    def __init__(self, call: Call, request: Request, *, doing: str) -> None:
        self.call = call
        self.request = request
        self.reply = Reply(0, {})
        self.doing = doing

    @property
    def ids(self) -> Mapping[str, str]:
        return {}

    def run(self) -> Steps:
        call = self.call
        repeatable = self.request.method == "GET"
        try:
            self.reply = yield from request(
                call, Send(self.request), doing=self.doing, repeatable=repeatable
            )
        except LostAnswer as lost:
            raise errors.connection(call.context, lost.lost, doing=self.doing) from None
        if not self.reply.ok:
            raise errors.from_reply(call.context, self.reply, doing=self.doing)
        yield Emit([])

    def abandon(self) -> Steps:
        """Nothing is owed."""
        yield from ()


def operate(name: str, agent: str, config: Any, given: Mapping[str, Any]) -> Any:
    """What LiteLLM's handler ``name`` does, for an agent."""
    turn, token = _prepare(name, agent, given)
    if given.get("_is_async"):
        return _aoperate(turn, token, name, config, given)
    try:
        for _ in SyncDriver(token, turn.call.headers, timeout=turn.call.remaining()).play(turn):
            pass
    except Exception as error:
        raise errors.translated(turn.call.context, error) from error.__cause__
    return _answer(turn, name, config, given)


async def _aoperate(
    turn: StoredTurn, token: TokenSource, name: str, config: Any, given: Mapping[str, Any]
) -> Any:
    try:
        driver = AsyncDriver(token, turn.call.headers, timeout=turn.call.remaining())
        async for _ in driver.play(turn):
            pass
    except Exception as error:
        raise errors.translated(turn.call.context, error) from error.__cause__
    return _answer(turn, name, config, given)


def _prepare(name: str, agent: str, given: Mapping[str, Any]) -> tuple[StoredTurn, TokenSource]:
    method, after, _ = OPERATIONS[name]
    context = context_of(given, f"agents/{agent}")
    try:
        options = own_options(params_of(given), {})
        response_id = check_id(given["response_id"], "response_id")
    except ValueError as error:
        raise errors.bad_request(context, str(error)) from None
    call, target, token = understand(given, context, options)
    query = [(n, str(given[n])) for n in _QUERY if given.get(n) is not None]
    query += [("include[]", str(value)) for value in given.get("include") or ()]
    url = target.url(response_id, *after, query=query)
    doing = {"GET": "read", "DELETE": "delete", "POST": "cancel"}[method] + " the response"
    given["logging_obj"].pre_call(
        input="",
        api_key="",
        additional_args={"complete_input_dict": {}, "api_base": url, "headers": {}},
    )
    return StoredTurn(call, Request(method, url), doing=doing), token


def _answer(turn: StoredTurn, name: str, config: Any, given: Mapping[str, Any]) -> Any:
    content = turn.reply.content
    if not content.strip() and turn.request.method == "DELETE":  # 204: nothing more is said
        gone = {"id": given["response_id"], "object": "response", "deleted": True}
        content = json.dumps(gone).encode()
    raw = http_response(turn.reply, turn.request.url, content=content)
    try:
        transform = getattr(config, OPERATIONS[name][2])
        return transform(raw_response=raw, logging_obj=given["logging_obj"])
    except Exception:
        raise errors.unexpected(turn.call.context, turn.reply, doing=turn.doing) from None
