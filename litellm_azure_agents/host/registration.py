"""Plugging into LiteLLM: the only file that touches its internals, each seam checked (D13).

Two routes mean the same: ``azure_agents/<agent>``, by LiteLLM's public map of custom providers,
and ``azure_ai/agents/<agent>``, by taking over the built-in handler, which is looked up at call
time.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable
from typing import Any

import litellm
from litellm.caching.caching_handler import LLMCachingHandler
from litellm.exceptions import BadRequestError
from litellm.integrations.custom_logger import CustomLogger
from litellm.llms.azure_ai import agents as builtin
from litellm.llms.azure_ai.chat.transformation import AzureAIStudioConfig
from litellm.llms.azure_ai.common_utils import AzureFoundryModelInfo
from litellm.llms.openai.chat.gpt_transformation import OpenAIGPTConfig
from litellm.llms.openai.responses.transformation import OpenAIResponsesAPIConfig
from litellm.responses import main as native_responses
from litellm.types.utils import LlmProviders
from litellm.utils import ProviderConfigManager

from ..core.endpoint import base_from_environment
from ..core.options import REFUSED_PARAMS, Params
from ..responses.stored import OPERATIONS, agent_of, operate
from .handler import PROVIDER, AgentsRoute, AzureAgents
from .responses_api import respond

ROUTE = "agents/"
"""What a model of the provider ``azure_ai`` begins with when it names an agent."""

_SUPPORTED = [*Params.model_fields, "stream", "stream_options", "user", "extra_headers",
              "max_retries", "safety_identifier", "prompt_cache_key", "service_tier",
              *REFUSED_PARAMS]  # fmt: skip
"""What LiteLLM lets through. Also what we refuse: it would refuse ``stop=[]`` too, which asks for
nothing, and give advice that doesn't help."""

_STORES = ("should_store_result_in_cache", "_should_store_result_in_cache")
"""Where LiteLLM asks whether an answer is to be cached, by its versions' names."""

_lock = threading.Lock()
_undo: list[Callable[[], None]] = []
handler = AzureAgents()


class RegistrationError(RuntimeError):
    """This LiteLLM lacks a seam that the plugin needs; the message names it."""


class AgentsConfig(OpenAIGPTConfig):
    """Which OpenAI parameters LiteLLM lets through to agents; it refuses or drops others."""

    def get_supported_openai_params(self, model: str) -> list[str]:
        return list(_SUPPORTED)

    def map_openai_params(
        self,
        non_default_params: dict[str, Any],
        optional_params: dict[str, Any],
        model: str,
        drop_params: bool,
        **_: Any,
    ) -> dict[str, Any]:
        supported = {k: v for k, v in non_default_params.items() if k in _SUPPORTED}
        return {**optional_params, **supported}


class AgentResponsesConfig(OpenAIResponsesAPIConfig):
    """Tells LiteLLM that new agents speak the Responses API themselves; `respond` does the rest."""

    @property
    def custom_llm_provider(self) -> LlmProviders:
        return LlmProviders.AZURE_AI

    def supports_native_file_search(self) -> bool:
        return True

    def map_openai_params(
        self, response_api_optional_params: Any, model: str, drop_params: bool
    ) -> dict[str, Any]:
        return dict(response_api_optional_params)


class _OneRoute(CustomLogger):
    """Async calls of ``azure_agents/`` go the ``azure_ai/agents/`` way, whose streams are handed
    back only once they have begun: exact errors and response headers there too (protocols D4)."""

    async def async_pre_call_deployment_hook(
        self, kwargs: dict[str, Any], call_type: Any
    ) -> dict[str, Any] | None:
        model = kwargs.get("model")
        if isinstance(model, str) and model.startswith(f"{PROVIDER}/"):
            kwargs["model"] = f"azure_ai/{ROUTE}{model.removeprefix(PROVIDER + '/')}"
            if kwargs.get("custom_llm_provider") == PROVIDER:
                kwargs["custom_llm_provider"] = "azure_ai"
            return kwargs
        return None


def register() -> None:
    """Make ``azure_ai/agents/<agent>`` and ``azure_agents/<agent>`` ours in LiteLLM. Idempotent.

    Raises `RegistrationError` where this version of LiteLLM lacks a seam; nothing is changed then.
    """
    with _lock:
        if not _undo:
            _check_seams()
        # The map is looked at every time: a proxy's configuration replaces it as a whole.
        if not any(entry.get("provider") == PROVIDER for entry in litellm.custom_provider_map):
            litellm.custom_provider_map.append({"provider": PROVIDER, "custom_handler": handler})
        litellm.utils.custom_llm_setup()  # type: ignore[no-untyped-call]
        if _undo:
            return
        one_route = _OneRoute()
        litellm.callbacks.append(one_route)
        _undo.append(lambda: _remove_everywhere(one_route))
        _replace(builtin, "AzureAIAgentsConfig", AgentsRoute)
        _replace(
            AzureFoundryModelInfo,
            "get_azure_ai_config_for_model",
            staticmethod(_config_for(AzureFoundryModelInfo.get_azure_ai_config_for_model)),
        )
        _replace(
            AzureAIStudioConfig,
            "_get_openai_compatible_provider_info",
            _provider_info(AzureAIStudioConfig._get_openai_compatible_provider_info),
        )
        _replace(
            ProviderConfigManager,
            "get_provider_responses_api_config",
            staticmethod(
                _responses_config_for(ProviderConfigManager.get_provider_responses_api_config)
            ),
        )
        for module in _bridge_modules():
            check = module.responses_api_bridge_check
            _replace(module, "responses_api_bridge_check", _bridges_no_agents(check))
        http_handler = native_responses.base_llm_http_handler
        _replace(
            http_handler,
            "response_api_handler",
            _response_api_handler(http_handler.response_api_handler),
        )
        for name in _STORES:
            if hasattr(LLMCachingHandler, name):
                stores = getattr(LLMCachingHandler, name)
                _replace(LLMCachingHandler, name, _stores_no_agents(stores))
        for name in OPERATIONS:
            _replace(http_handler, name, _stored_handler(name, getattr(http_handler, name)))


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


def _check_seams() -> None:
    seams = [
        (litellm, "custom_provider_map"),
        (litellm, "_custom_providers"),
        (litellm, "provider_list"),
        (litellm, "callbacks"),
        (litellm, "CustomStreamWrapper"),
        (litellm.utils, "custom_llm_setup"),
        (builtin, "AzureAIAgentsConfig"),
        (AzureFoundryModelInfo, "get_azure_ai_config_for_model"),
        (AzureAIStudioConfig, "_get_openai_compatible_provider_info"),
        *((module, "responses_api_bridge_check") for module in _bridge_modules()),
        (ProviderConfigManager, "get_provider_responses_api_config"),
        (native_responses, "base_llm_http_handler"),
        (native_responses.base_llm_http_handler, "response_api_handler"),
        *((native_responses.base_llm_http_handler, name) for name in OPERATIONS),
    ]
    if not any(hasattr(LLMCachingHandler, name) for name in _STORES):
        seams.append((LLMCachingHandler, _STORES[0]))
    for owner, name in seams:
        if not hasattr(owner, name):
            raise RegistrationError(
                f"this version of LiteLLM has no {getattr(owner, '__name__', owner)}.{name}; "
                "litellm-azure-agents needs litellm>=1.94.0"
            )


def _config_for(original: Callable[[str], Any]) -> Callable[[str], Any]:
    config = AgentsConfig()

    def get_azure_ai_config_for_model(model: str) -> Any:
        return config if model.startswith(ROUTE) else original(model)

    return get_azure_ai_config_for_model


def _provider_info(original: Callable[..., Any]) -> Callable[..., Any]:
    """The built-in look-up knows one variable for the endpoint, and takes an agent that is called
    like an OpenAI model for that model."""

    def _get_openai_compatible_provider_info(
        self: Any,
        model: str,
        api_base: str | None,
        api_key: str | None,
        custom_llm_provider: str,
    ) -> Any:
        if not model.removeprefix("azure_ai/").startswith(ROUTE):
            return original(self, model, api_base, api_key, custom_llm_provider)
        base, key, _ = original(
            self, ROUTE, api_base or base_from_environment(), api_key, custom_llm_provider
        )
        return base, key, custom_llm_provider

    return _get_openai_compatible_provider_info


def _bridge_modules() -> list[Any]:
    """Where LiteLLM looks up whether a chat call is bridged to the Responses API."""
    modules = [sys.modules["litellm.main"]]
    if importlib.util.find_spec("litellm.responses.bridge_check"):  # 1.109 and later
        modules.append(importlib.import_module("litellm.responses.bridge_check"))
    return modules


def _bridges_no_agents(original: Callable[..., Any]) -> Callable[..., Any]:
    """LiteLLM 1.109 bridges chat with new agents to the Responses API, as any version does where
    ``model_info`` says ``mode: responses``; the bridge knows nothing of threads."""

    def responses_api_bridge_check(model: str, *args: Any, **kwargs: Any) -> Any:
        info, bridged = original(model, *args, **kwargs)
        provider = args[0] if args else kwargs.get("custom_llm_provider")
        if provider == PROVIDER or (provider == "azure_ai" and model.startswith(ROUTE)):
            return {**info, "mode": "chat"}, model
        return info, bridged

    return responses_api_bridge_check


def _responses_config_for(original: Callable[..., Any]) -> Callable[..., Any]:
    config = AgentResponsesConfig()  # type: ignore[no-untyped-call]

    def get_provider_responses_api_config(
        provider: Any, model: str | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        name = getattr(provider, "value", provider)
        agent = model or ""
        if name == "azure_ai" and agent.startswith(ROUTE):
            agent = agent.removeprefix(ROUTE)
        elif name != PROVIDER:
            found = original(provider, model, *args, **kwargs)
            # Of a stored response the model isn't told: `_stored_handler` looks for it.
            return config if found is None and model is None and name == "azure_ai" else found
        return None if agent.startswith("asst_") else config  # classic: by chat completions

    return get_provider_responses_api_config


def _response_api_handler(original: Callable[..., Any]) -> Callable[..., Any]:
    def response_api_handler(*args: Any, **kwargs: Any) -> Any:
        if isinstance(kwargs.get("responses_api_provider_config"), AgentResponsesConfig):
            return respond(**kwargs)
        return original(*args, **kwargs)

    return response_api_handler


def _stored_handler(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    config = AgentResponsesConfig()  # type: ignore[no-untyped-call]

    def handler_of_stored_responses(*args: Any, **kwargs: Any) -> Any:
        agent = agent_of(kwargs)
        if agent is not None:
            return operate(name, agent, config, kwargs)
        if isinstance(kwargs.get("responses_api_provider_config"), AgentResponsesConfig):
            raise BadRequestError(
                message="Whose response is it? Give model='azure_ai/agents/<name>' as well",
                model="",
                llm_provider="azure_ai",
            )
        return original(*args, **kwargs)

    return handler_of_stored_responses


def _stores_no_agents(original: Callable[..., bool]) -> Callable[..., bool]:
    """No answer of an agent goes into LiteLLM's cache: its key knows nothing of threads, so one
    would be given on another thread, and with it the id of somebody else's."""

    def should_store_result_in_cache(
        self: Any, original_function: Any, kwargs: dict[str, Any]
    ) -> bool:
        model = str(kwargs.get("model") or "")
        if model.startswith((f"azure_ai/{ROUTE}", f"{PROVIDER}/", ROUTE)) or (
            kwargs.get("custom_llm_provider") == PROVIDER
        ):
            return False
        return original(self, original_function, kwargs)

    return should_store_result_in_cache


def _replace(owner: Any, name: str, value: Any) -> None:
    own = vars(owner)
    if name in own:
        original = own[name]
        _undo.append(lambda: setattr(owner, name, original))
    else:  # a method of the class, covered on this object
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
