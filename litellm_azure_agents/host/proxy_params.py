"""The names in a proxy model's ``litellm_params`` that LiteLLM reads itself."""

from __future__ import annotations

from litellm.types.router import GenericLiteLLMParams
from litellm.types.utils import all_litellm_params


def own_params() -> frozenset[str]:
    """Those names: they never reach a provider, or are read by every one."""
    return frozenset(all_litellm_params) | frozenset(GenericLiteLLMParams.model_fields)
