"""Reads and checks the configuration file of a LiteLLM proxy, without LiteLLM's proxy.

>>> from litellm_azure_agents import proxy_config
>>> where = proxy_config.entry("config.yaml", "contracts")  # doctest: +SKIP
>>> findings = proxy_config.check("config.yaml")  # doctest: +SKIP

Values ``os.environ/NAME`` are read from the environment where they are used; no function shows one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .core.endpoint import check_agent, resolve_base
from .core.findings import Finding
from .core.json_values import Json, JsonObject, as_object, as_objects, as_text
from .core.options import OPERATOR_ARGUMENTS, OptionError, Options, Params, parse_arguments
from .host.names import PROVIDER, agent_in
from .host.proxy_params import own_params

__all__ = ["ConfigError", "Entry", "check", "entries", "entry", "read"]

HANDLER = "litellm_azure_agents.proxy.handler"
_REFERENCE = "os.environ/"
_SECRET = re.compile(r"(?:^|_)(?:key|token|secret|password|salt_key)$|^database_url$", re.I)
_PROVIDER_LINES = (
    "under litellm_settings: custom_provider_map: "
    f"[{{provider: {PROVIDER}, custom_handler: {HANDLER}}}]"
)


class ConfigError(ValueError):
    """The file can't be used; the message says why, without any secret."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A model of ``model_list`` that is an agent; ``params`` hold values, not references."""

    name: str
    agent: str
    params: JsonObject = field(repr=False)

    @property
    def connection(self) -> JsonObject:
        """The arguments of `connect` that the entry has."""
        names = (*sorted(OPERATOR_ARGUMENTS), "azure_scope", "timeout", "max_retries")
        found = {name: self.params[name] for name in names if self.params.get(name) is not None}
        base = found.pop("base_url", None)
        return found if base is None else {"api_base": base, **found}


def read(path: str | Path) -> JsonObject:
    """The configuration, with the files that it includes. Raises `ConfigError`."""
    return _read(Path(path), seen=())


def entries(config: Json) -> Sequence[tuple[str, str, JsonObject]]:
    """(model name, agent, litellm_params as written) of each model that is an agent."""
    found = []
    for model in as_objects(config.get("model_list")):
        params = dict(as_object(model.get("litellm_params")))
        agent = agent_in(params.get("model"))
        if agent is not None:
            found.append((as_text(model.get("model_name")), agent, params))
    return found


def entry(path: str | Path, model: str, *, environ: Mapping[str, str] = os.environ) -> Entry:
    """The entry of ``model``, its references and credentials read. Raises `ConfigError`."""
    config = read(path)
    agents = entries(config)
    for name, agent, params in agents:
        if name == model:
            variables = _variables(config, environ)
            return Entry(name, agent, _resolved(_with_credential(config, params), variables))
    known = ", ".join(name for name, _, _ in agents) or "none"
    raise ConfigError(f"{path} has no agent {model!r} in its model_list; its agents: {known}")


def check(
    path: str | Path,
    *,
    model: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Sequence[Finding]:
    """What is right and wrong with the file: the provider line, each agent's options, secrets in
    clear. Of one ``model`` only, if given. Asks no service."""
    try:
        config = read(path)
    except ConfigError as error:
        return [Finding("config", "failed", str(error), "correct the file")]
    agents = [found for found in entries(config) if model in (None, found[0])]
    if not agents:
        what = "agent" if model is None else f"agent {model!r}"
        return [
            Finding(
                "config",
                "failed",
                f"{path} has no {what} in its model_list",
                "give an entry litellm_params: {model: azure_ai/agents/<id>, api_base: …}",
            )
        ]
    findings = [_provider_line(config)]
    variables = _variables(config, environ)
    for name, agent, params in agents:
        findings += _check_entry(config, name, agent, params, variables)
    return [*findings, *_check_secrets(config)]


# -- reading -----------------------------------------------------------------------------------


def _read(path: Path, seen: Sequence[Path]) -> JsonObject:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{path} can't be read: {reason}") from None
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)  # the rest of the error shows the line
        where = "" if mark is None else f" at line {mark.line + 1}"
        raise ConfigError(f"{path} is not YAML{where}") from None
    if not isinstance(config, dict):
        raise ConfigError(f"{path} is not the configuration of a LiteLLM proxy")
    here = path.resolve()
    if here in seen:
        raise ConfigError(f"{path} includes itself")
    # As LiteLLM does: lists of included files are added, other values replace.
    for name in config.get("include") or ():
        for key, value in _read(path.parent / str(name), (*seen, here)).items():
            old = config.get(key)
            both = isinstance(old, list) and isinstance(value, list)
            config[key] = [*old, *value] if both else value  # type: ignore[misc]
    return config


def _variables(config: Json, environ: Mapping[str, str]) -> Mapping[str, str]:
    own = as_object(config.get("environment_variables"))
    return {**environ, **{str(k): str(v) for k, v in own.items() if not _is_reference(v)}}


def _with_credential(config: Json, params: Json) -> JsonObject:
    """``params`` with the values of the credential that they name."""
    name = params.get("litellm_credential_name")
    if name is None:
        return dict(params)
    for credential in as_objects(config.get("credential_list")):
        if credential.get("credential_name") == name:
            return {**as_object(credential.get("credential_values")), **params}
    raise ConfigError(f"there is no credential {name!r} in the file's credential_list")


def _resolved(value: Any, variables: Mapping[str, str]) -> Any:
    if _is_reference(value):
        name = value.removeprefix(_REFERENCE)
        if not variables.get(name):
            raise ConfigError(f"the environment variable {name} is not set")
        return variables[name]
    if isinstance(value, dict):
        return {name: _resolved(inner, variables) for name, inner in value.items()}
    return [_resolved(item, variables) for item in value] if isinstance(value, list) else value


def _is_reference(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_REFERENCE)


# -- checking ----------------------------------------------------------------------------------


def _provider_line(config: Json) -> Finding:
    settings = as_object(config.get("litellm_settings"))
    lines = as_objects(settings.get("custom_provider_map"))
    handlers = {as_text(line.get("custom_handler")) for line in lines}
    if HANDLER not in handlers:
        message = "no custom_provider_map with the plugin: LiteLLM's own handler would serve agents"
        return Finding("provider line", "failed", message, f"add {_PROVIDER_LINES}")
    names = {line.get("provider") for line in lines if line.get("custom_handler") == HANDLER}
    if names != {PROVIDER}:
        message = f"the plugin's provider is called {', '.join(map(repr, names))}"
        return Finding("provider line", "warning", message, f"call it {PROVIDER}")
    return Finding("provider line", "ok", f"custom_provider_map has {HANDLER}")


def _check_entry(
    config: Json, name: str, agent: str, params: Json, variables: Mapping[str, str]
) -> Iterator[Finding]:
    about = f"model {name}"
    try:
        params = _with_credential(config, params)
        check_agent(agent)
    except (ConfigError, ValueError) as error:
        yield Finding(about, "failed", str(error), "correct the entry")
        return
    unset = ""
    try:
        params = _resolved(params, variables)
    except ConfigError as error:
        unset = str(error)
        params = {key: value for key, value in params.items() if not _is_reference(value)}
    else:
        try:
            resolve_base(as_text(params.get("api_base")) or None, variables)
        except ValueError as error:
            yield Finding(about, "failed", str(error), "give the entry an api_base")
            return
    ours = {
        key: value
        for key, value in params.items()
        if key in Options.model_fields or key in Params.model_fields or key not in own_params()
    }
    ours.pop("model", None)
    try:
        parse_arguments(ours, drop_params=bool(params.get("drop_params")))
    except OptionError as error:
        yield Finding(about, "failed", str(error), "correct the entry")
        return
    if unset:
        yield Finding(about, "warning", unset, "set it where the proxy runs")
        return
    shown = f", with {', '.join(sorted(ours))}" if ours else ""
    yield Finding(about, "ok", f"agent {agent}{shown}")


def _check_secrets(config: Json) -> Iterator[Finding]:
    clear = [
        path
        for path, name, value in _leaves(config, "")
        if _SECRET.search(name)
        and isinstance(value, str)
        and value
        and not value.startswith(("os.environ/", "oidc/", "hashicorp"))
    ]
    if not clear:
        yield Finding("secrets", "ok", "none in clear")
    for path in clear:
        message = f"{path} is in clear in the file"
        advice = "put it into the environment and write os.environ/NAME"
        yield Finding("secrets", "warning", message, advice)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str, Any]]:
    """(path, last name, value) of every value that is no list or mapping."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            below = f"{path}.{name}" if path else str(name)
            if isinstance(inner, (Mapping, list)):
                yield from _leaves(inner, below)
            else:
                yield below, str(name), inner
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{number}]")
