"""Registers both routes with LiteLLM, and checks first that all it needs is there.

``azure_agents/<agent>`` is a custom provider, which LiteLLM has a public map for.
``azure_ai/agents/<agent>`` is a route of LiteLLM's own: `overrides` takes the place of its handler
and of the functions around it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

import litellm

from .handler import AzureAgents
from .names import PROVIDER

_NEEDED = (
    "litellm:custom_provider_map",
    "litellm:_custom_providers",
    "litellm:provider_list",
    "litellm:callbacks",
    "litellm:CustomStreamWrapper.chunk_creator",
    "litellm:client_session",
    "litellm:aclient_session",
    "litellm:ssl_verify",
    "litellm:disable_aiohttp_transport",
    "litellm:model_cost",
    "litellm.utils:_cached_get_model_info.cache_clear",
    "litellm.types.utils:ModelResponse._hidden_params",
    "litellm.types.utils:ModelResponseStream._hidden_params",
    "litellm.integrations.custom_logger:CustomLogger.async_pre_call_deployment_hook",
    "litellm.llms.openai.chat.gpt_transformation:OpenAIGPTConfig",
    "litellm.llms.openai.responses.transformation:OpenAIResponsesAPIConfig"
    ".transform_response_api_response",
    "litellm.responses.streaming_iterator:ResponsesAPIStreamingIterator",
    "litellm.responses.streaming_iterator:SyncResponsesAPIStreamingIterator",
)
"""What we use of LiteLLM without replacing it, as ``module:path``."""

_lock = threading.Lock()
_undo: list[Callable[[], None]] = []
handler = AzureAgents()


class RegistrationError(RuntimeError):
    """This version of LiteLLM lacks something that the plugin needs; the message names it."""


def register() -> None:
    """Serve ``azure_ai/agents/<agent>`` and ``azure_agents/<agent>`` in LiteLLM. Idempotent.

    Raises `RegistrationError` if this version of LiteLLM lacks what is needed; nothing is changed
    then.
    """
    with _lock:
        replacements = [] if _undo else _replacements()
        put_first(handler)
        litellm.utils.custom_llm_setup()  # type: ignore[no-untyped-call]
        if _undo:
            return
        from .overrides import OneRoute

        one_route = OneRoute()
        litellm.callbacks.append(one_route)
        _undo.append(lambda: _remove_everywhere(one_route))
        for owner, name, override in replacements:
            _replace(owner, name, override)


def put_first(ours: AzureAgents) -> None:
    """Make LiteLLM find our handler for our provider, whatever else the map has.

    Older versions of LiteLLM take the last entry of a provider, newer ones the first that is a
    `CustomLLM`. So there is one, at the place of the first; a handler of ours that is there stays.
    """
    entries = litellm.custom_provider_map
    mine = [entry for entry in entries if entry.get("provider") == PROVIDER]
    if len(mine) == 1 and isinstance(mine[0].get("custom_handler"), AzureAgents):
        return
    found = next((e for e in mine if isinstance(e.get("custom_handler"), AzureAgents)), None)
    others = [entry for entry in entries if entry.get("provider") != PROVIDER]
    entries[:] = [found or {"provider": PROVIDER, "custom_handler": ours}, *others]


def unregister() -> None:
    """Give LiteLLM back as it was before `register`."""
    with _lock:
        while _undo:
            _undo.pop()()
        litellm.custom_provider_map[:] = [
            entry for entry in litellm.custom_provider_map if entry.get("provider") != PROVIDER
        ]
        _remove(litellm.provider_list, PROVIDER)
        _remove(litellm._custom_providers, PROVIDER)
        litellm.utils._cached_get_model_info.cache_clear()  # what it was told of agents


def _replacements() -> list[tuple[Any, str, Callable[[Any], Any]]]:
    """(owner, name, override) of all that is replaced. Raises RegistrationError if a part of
    LiteLLM that is needed is missing."""
    for place in _NEEDED:
        _find(place)
    from . import overrides  # builds on classes of LiteLLM that are known to be there by now

    found = []
    for places, override in overrides.OVERRIDES.items():
        present = [place for place in places if _exists(place)]
        found += [(*_find(place), override) for place in present or places[:1]]
    return found


def _find(place: str) -> tuple[Any, str]:
    """The object at ``module:path`` as its owner and its name there; RegistrationError if LiteLLM
    has none."""
    module, _, path = place.partition(":")
    *owners, name = path.split(".")
    try:
        owner: Any = import_module(module)
        for attribute in owners:
            owner = getattr(owner, attribute)
        getattr(owner, name)
    except (ImportError, AttributeError):
        raise RegistrationError(
            f"this version of LiteLLM has no {module}.{path}; "
            "litellm-azure-agents needs litellm>=1.94.0"
        ) from None
    return owner, name


def _exists(place: str) -> bool:
    try:
        _find(place)
    except RegistrationError:
        return False
    return True


def _replace(owner: Any, name: str, override: Callable[[Any], Any]) -> None:
    value = override(getattr(owner, name))
    own = vars(owner)
    if name in own:
        original = own[name]
        _undo.append(lambda: setattr(owner, name, original))
        if isinstance(original, staticmethod):
            value = staticmethod(value)
    else:  # a method of the class, which the override hides on this object
        _undo.append(lambda: delattr(owner, name))
    setattr(owner, name, value)


def _remove_everywhere(callback: Any) -> None:
    """LiteLLM copies `litellm.callbacks` into lists for each kind of event."""
    for found in list(vars(litellm).values()):
        if isinstance(found, list):
            _remove(found, callback)


def _remove(from_list: list[Any], item: Any) -> None:
    if item in from_list:
        from_list.remove(item)
