"""What takes the place of LiteLLM's own functions, and which ones those are.

Each override gets the original and returns the replacement, which calls the original for everything
that is no agent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import litellm
from litellm.exceptions import BadRequestError
from litellm.integrations.custom_logger import CustomLogger
from litellm.llms.openai.chat.gpt_transformation import OpenAIGPTConfig
from litellm.llms.openai.responses.transformation import OpenAIResponsesAPIConfig
from litellm.types.utils import LlmProviders

from ..core.endpoint import base_from_environment
from ..core.options import REFUSED_PARAMS, Params
from .handler import AgentsRoute
from .names import BUILTIN, PROVIDER, ROUTE, agent_in
from .responses_api import OPERATIONS, operate, params_of, respond

Original = Callable[..., Any]

_SUPPORTED = [*Params.model_fields, "stream", "stream_options", "user", "extra_headers",
              "max_retries", "safety_identifier", "prompt_cache_key", "service_tier",
              *REFUSED_PARAMS]  # fmt: skip
"""The OpenAI parameters that LiteLLM passes on to us. Those that we refuse are among them: LiteLLM
would also refuse ``stop=[]``, which asks for nothing, and give advice that doesn't help."""


class AgentsConfig(OpenAIGPTConfig):
    """Which OpenAI parameters LiteLLM passes on for agents; it refuses or drops the others."""

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
    """Tells LiteLLM that new agents have the Responses API; `respond` serves it."""

    @property
    def custom_llm_provider(self) -> LlmProviders:
        return LlmProviders.AZURE_AI

    def supports_native_file_search(self) -> bool:
        return True

    def map_openai_params(
        self, response_api_optional_params: Any, model: str, drop_params: bool
    ) -> dict[str, Any]:
        return dict(response_api_optional_params)


_responses_config = AgentResponsesConfig()  # type: ignore[no-untyped-call]


class OneRoute(CustomLogger):
    """Sends async calls of ``azure_agents/`` the way of ``azure_ai/agents/``.

    There a stream is handed back only after it has begun, so that its errors and headers are exact.
    """

    async def async_pre_call_deployment_hook(
        self, kwargs: dict[str, Any], call_type: Any
    ) -> dict[str, Any] | None:
        model = kwargs.get("model")
        if isinstance(model, str) and model.startswith(f"{PROVIDER}/"):
            kwargs["model"] = f"{BUILTIN}/{ROUTE}{agent_in(model)}"
            if kwargs.get("custom_llm_provider") == PROVIDER:
                kwargs["custom_llm_provider"] = BUILTIN
            return kwargs
        return None


# -- registration ------------------------------------------------------------------------------


def _setup(original: Original) -> Original:
    """LiteLLM calls this before every request, and a proxy does when it reads its configuration.

    Both other plugins and a proxy's configuration may have replaced the whole map by then.
    """

    def custom_llm_setup() -> None:
        from .registration import handler, put_first

        put_first(handler)
        original()

    return custom_llm_setup


# -- what LiteLLM knows of a model -------------------------------------------------------------


def _facts(agent: str) -> dict[str, Any]:
    """What is true for an agent, whatever its model is. An answer's format belongs to a new agent's
    definition, so only a classic one takes the schema of a call."""
    classic = agent.startswith("asst_")
    return {
        "mode": "chat",
        "supports_system_messages": True,
        "supports_function_calling": True,
        "supports_parallel_function_calling": True,
        "supports_tool_choice": True,
        "supports_vision": True,
        "supports_response_schema": classic,
        "supports_pdf_input": not classic,
        "supports_native_streaming": True,
        "supports_audio_input": False,
        "supports_audio_output": False,
        "supports_assistant_prefill": False,
    }


def _registered(agent: str) -> dict[str, Any]:
    """What somebody has told LiteLLM of this agent (`litellm.register_model`).

    A Router registers a deployment's ``model_info`` under the deployment's id, with its provider.
    """
    rows = [
        litellm.model_cost.get(f"{route}{agent}")
        for route in (f"{BUILTIN}/{ROUTE}", f"{PROVIDER}/")
    ]
    deployment = litellm.model_cost.get(agent)
    if deployment and deployment.get("litellm_provider") == PROVIDER:
        rows.append(deployment)
    return {n: v for row in rows for n, v in (row or {}).items() if v is not None}


def _supports(original: Original) -> Original:
    def supports_factory(model: str, custom_llm_provider: str | None, key: str) -> bool:
        agent = agent_in(model, custom_llm_provider)
        if agent is None:
            return bool(original(model, custom_llm_provider, key))
        return {**_facts(agent), **_registered(agent)}.get(key) is True

    return supports_factory


def _model_info(original: Original) -> Original:
    """Prices and limits are those of the agent's model, which LiteLLM doesn't know: None."""

    def _build_model_info(model: str, custom_llm_provider: str | None = None, *more: Any,
                          **kwargs: Any) -> Any:  # fmt: skip
        agent = agent_in(model, custom_llm_provider)
        if agent is None:
            return original(model, custom_llm_provider, *more, **kwargs)
        ours = PROVIDER in (custom_llm_provider, model.partition("/")[0])
        unknown = ("max_tokens", "max_input_tokens", "max_output_tokens", "input_cost_per_token",
                   "output_cost_per_token")  # fmt: skip
        return {
            **dict.fromkeys(unknown),
            **_facts(agent),
            "key": f"{PROVIDER}/{agent}" if ours else f"{BUILTIN}/{ROUTE}{agent}",
            "litellm_provider": PROVIDER if ours else BUILTIN,
            "supported_openai_params": list(_SUPPORTED),
            **_registered(agent),
        }

    return _build_model_info


def _price(original: Original) -> Original:
    """An agent without a price has no costs that we know: LiteLLM would take no price for 0."""

    def cost_per_token(model: str = "", *args: Any, **kwargs: Any) -> Any:
        agent = agent_in(model, kwargs.get("custom_llm_provider"))
        told = _registered(agent) if agent is not None else {}
        custom = kwargs.get("custom_cost_per_token") or kwargs.get("custom_cost_per_second")
        if agent is not None and not custom and not any("cost_per" in name for name in told):
            raise ValueError(f"No price is registered for the agent {agent}")
        return original(model, *args, **kwargs)

    return cost_per_token


# -- chat completions --------------------------------------------------------------------------


def _chat_config(original: Original) -> Original:
    config = AgentsConfig()

    def get_azure_ai_config_for_model(model: str) -> Any:
        return original(model) if agent_in(model) is None else config

    return get_azure_ai_config_for_model


def _provider_info(original: Original) -> Original:
    """The original knows one variable for the endpoint, and takes an agent that has the name of an
    OpenAI model for that model."""

    def _get_openai_compatible_provider_info(
        self: Any,
        model: str,
        api_base: str | None,
        api_key: str | None,
        custom_llm_provider: str,
    ) -> Any:
        if agent_in(model) is None:
            return original(self, model, api_base, api_key, custom_llm_provider)
        base, key, _ = original(
            self, ROUTE, api_base or base_from_environment(), api_key, custom_llm_provider
        )
        return base, key, custom_llm_provider

    return _get_openai_compatible_provider_info


def _bridge_check(original: Original) -> Original:
    """LiteLLM 1.109 bridges chat with new agents to the Responses API, as every version does if
    ``model_info`` says ``mode: responses``. The bridge knows no threads, so agents take none."""

    def responses_api_bridge_check(model: str, *args: Any, **kwargs: Any) -> Any:
        info, bridged = original(model, *args, **kwargs)
        provider = args[0] if args else kwargs.get("custom_llm_provider")
        if agent_in(model, provider or "") is None:
            return info, bridged
        return {**info, "mode": "chat"}, model

    return responses_api_bridge_check


def _cache_check(original: Original) -> Original:
    """Answers of agents stay out of LiteLLM's cache: its key has no thread, so an answer would be
    given on another thread, together with the id of somebody else's."""

    def should_store_result_in_cache(
        self: Any, original_function: Any, kwargs: dict[str, Any]
    ) -> bool:
        # An agent stays one behind another provider, such as another LiteLLM proxy.
        ours = PROVIDER if kwargs.get("custom_llm_provider") == PROVIDER else None
        if agent_in(kwargs.get("model"), ours) is not None:
            return False
        return bool(original(self, original_function, kwargs))

    return should_store_result_in_cache


# -- the Responses API -------------------------------------------------------------------------


def _find_responses_config(original: Original) -> Original:
    def get_provider_responses_api_config(
        provider: Any, model: str | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        name = getattr(provider, "value", provider)
        agent = agent_in(model, name or "")
        if agent is None:
            found = original(provider, model, *args, **kwargs)
            # For a stored response LiteLLM gives no model: `_stored_handler` looks for the agent.
            stored = found is None and model is None and name == BUILTIN
            return _responses_config if stored else found
        # Classic agents have no Responses API: LiteLLM translates to chat completions.
        return None if agent.startswith("asst_") else _responses_config

    return get_provider_responses_api_config


def _response_handler(original: Original) -> Original:
    def response_api_handler(*args: Any, **kwargs: Any) -> Any:
        if isinstance(kwargs.get("responses_api_provider_config"), AgentResponsesConfig):
            return respond(**kwargs)
        return original(*args, **kwargs)

    return response_api_handler


def _stored_handler(name: str) -> Callable[[Original], Original]:
    def override(original: Original) -> Original:
        def handler_of_stored_responses(*args: Any, **kwargs: Any) -> Any:
            agent = agent_in(params_of(kwargs).get("model"))
            if agent is not None:
                return operate(name, agent, _responses_config, kwargs)
            if isinstance(kwargs.get("responses_api_provider_config"), AgentResponsesConfig):
                raise BadRequestError(
                    message="Whose response is it? Give model='azure_ai/agents/<name>' as well",
                    model="",
                    llm_provider=BUILTIN,
                )
            return original(*args, **kwargs)

        return handler_of_stored_responses

    return override


_CACHE = "litellm.caching.caching_handler:LLMCachingHandler"
_HTTP_HANDLER = "litellm.responses.main:base_llm_http_handler"

OVERRIDES: dict[tuple[str, ...], Callable[[Original], Any]] = {
    ("litellm.utils:custom_llm_setup",): _setup,
    ("litellm.utils:supports_factory", "litellm.utils:_supports_factory"): _supports,
    ("litellm.utils:_build_model_info",): _model_info,
    ("litellm.cost_calculator:cost_per_token",): _price,
    ("litellm.llms.azure_ai.agents:AzureAIAgentsConfig",): lambda _: AgentsRoute,
    (
        "litellm.llms.azure_ai.common_utils:AzureFoundryModelInfo.get_azure_ai_config_for_model",
    ): _chat_config,
    (
        "litellm.llms.azure_ai.chat.transformation:"
        "AzureAIStudioConfig._get_openai_compatible_provider_info",
    ): _provider_info,
    (
        "litellm.main:responses_api_bridge_check",
        "litellm.responses.bridge_check:responses_api_bridge_check",
    ): _bridge_check,
    (
        f"{_CACHE}.should_store_result_in_cache",
        f"{_CACHE}._should_store_result_in_cache",
    ): _cache_check,
    (
        "litellm.utils:ProviderConfigManager.get_provider_responses_api_config",
    ): _find_responses_config,
    (f"{_HTTP_HANDLER}.response_api_handler",): _response_handler,
    **{(f"{_HTTP_HANDLER}.{name}",): _stored_handler(name) for name in OPERATIONS},
}
"""Places in LiteLLM as ``module:path``, and what replaces them. Of several places, which differ by
version, each one that is there is replaced, and one must be."""
