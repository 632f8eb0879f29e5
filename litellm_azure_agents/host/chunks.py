"""Deltas -> LiteLLM's chunks and responses, with ids, usage, cost and finish reasons.

An answer that is not streamed is the same deltas folded into one message.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import litellm
from litellm.types.utils import (
    ChatCompletionDeltaToolCall,
    Choices,
    CompletionTokensDetailsWrapper,
    Function,
    FunctionCall,
    Message,
    ModelResponse,
    ModelResponseStream,
    PromptTokensDetailsWrapper,
    StreamingChoices,
)
from litellm.types.utils import Delta as LiteLLMDelta
from litellm.types.utils import Usage as LiteLLMUsage

from ..answer.run_steps import fold_by_id
from ..core.deltas import Delta, Usage

_HEADER_IDS = (
    "thread_id", "run_id", "message_id", "conversation_id", "response_id", "agent_session_id",
)  # fmt: skip


def response_headers(ids: Mapping[str, str]) -> dict[str, str]:
    """The ids as headers; LiteLLM's proxy sends them as ``llm_provider-x-thread-id`` …"""
    return {f"x-{name.replace('_', '-')}": ids[name] for name in _HEADER_IDS if name in ids}


@dataclass(slots=True)
class ChunkFactory:
    """Makes the chunks or the response of one answer, all with one id and one creation time."""

    model: str
    base_model: str | None = None
    custom_pricing: bool = False
    old_functions: bool = False
    """The client sent ``functions``, so it gets ``function_call`` instead of ``tool_calls``."""
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4()}")
    created: int = field(default_factory=lambda: int(time.time()))
    _first: bool = True
    _listed: Counter[str] = field(default_factory=Counter)

    def chunk(self, delta: Delta, ids: Mapping[str, str]) -> ModelResponseStream:
        """The chunk for ``delta``; hidden params and provider-specific fields hold ``ids``."""
        content: dict[str, Any] = {"content": delta.text or None}
        if self._first:
            self._first = False
            content["role"] = "assistant"
        if delta.reasoning:
            content["reasoning_content"] = delta.reasoning
        call = delta.tool_call
        if call is not None and self.old_functions:
            content["function_call"] = FunctionCall(name=call.name, arguments=call.arguments)
        elif call is not None:
            content["tool_calls"] = [
                ChatCompletionDeltaToolCall(
                    id=call.id,
                    type="function" if call.id else None,
                    index=call.index,
                    function=Function(name=call.name, arguments=call.arguments),
                )
            ]
        if delta.annotations:
            content["annotations"] = self._numbered("annotations", delta.annotations)
        if delta.images:
            content["images"] = delta.images
        fields = {
            name: self._numbered(name, value) if isinstance(value, list) else value
            for name, value in delta.fields.items()
        }
        out: Any = LiteLLMDelta(**content, provider_specific_fields={**ids, **fields})
        if delta.refusal:
            out.refusal = delta.refusal
        chunk = ModelResponseStream(
            id=self.id,
            created=self.created,
            model=self.model,
            choices=[
                StreamingChoices(
                    index=0, delta=out, finish_reason=self._finish(delta.finish_reason)
                )
            ],
        )
        chunk._hidden_params = dict(ids)
        if delta.usage is not None:
            usage = map_usage(delta.usage)
            cost = self._cost(delta.service_model, usage)
            if cost is not None:
                usage.cost = cost  # the only place where LiteLLM looks on a stream (protocols D8)
            chunk.usage = usage
        return chunk

    def fold(
        self, deltas: Sequence[Delta], ids: Mapping[str, str], into: ModelResponse
    ) -> ModelResponse:
        """All ``deltas`` as one response. Fills and returns ``into``, LiteLLM's object for it."""
        refusal = "".join(delta.refusal for delta in deltas)
        annotations = [note for delta in deltas for note in delta.annotations]
        images: list[Any] = [image for delta in deltas for image in delta.images]
        usage = next((delta.usage for delta in reversed(deltas) if delta.usage), None)
        model = next((d.service_model for d in reversed(deltas) if d.service_model), None)
        finish = next((d.finish_reason for d in reversed(deltas) if d.finish_reason), "stop")
        fields: dict[str, Any] = {}
        calls: list[dict[str, Any]] = []
        for delta in deltas:
            merge_fields(fields, delta.fields)
            piece = delta.tool_call
            if piece is not None:
                if piece.index == len(calls):
                    calls.append({"id": piece.id, "name": piece.name, "arguments": []})
                calls[piece.index]["arguments"].append(piece.arguments)
        message: Any = Message(  # older versions of LiteLLM declare no `refusal`
            content="".join(delta.text for delta in deltas) or (None if calls or images else ""),
            role="assistant",
            tool_calls=[
                {
                    "id": call["id"],
                    "type": "function",
                    "function": {"name": call["name"], "arguments": "".join(call["arguments"])},
                }
                for call in calls
            ]
            or None,
            reasoning_content="".join(delta.reasoning for delta in deltas) or None,
            images=images or None,
            provider_specific_fields={**ids, **fields},
        )
        if annotations:  # not in the constructor: LiteLLM's type knows url_citation only
            message.annotations = annotations
        if refusal:
            message.refusal = refusal
        into.id = self.id
        into.created = self.created
        into.model = self.model
        if calls and self.old_functions:
            call = calls[0]
            arguments = "".join(call["arguments"])
            message.function_call = FunctionCall(name=call["name"], arguments=arguments)
            message.tool_calls = None
        into.choices = [Choices(index=0, finish_reason=self._finish(finish), message=message)]
        hidden = into._hidden_params
        hidden.update(ids)
        hidden.setdefault("additional_headers", {}).update(response_headers(ids))
        if usage is not None:
            mapped = map_usage(usage)
            into.usage = mapped  # type: ignore[attr-defined]
            cost = self._cost(model, mapped)
            if cost is not None:
                hidden["response_cost"] = cost
        return into

    def _numbered(self, name: str, entries: list[Any]) -> list[Any]:
        """The entries of a list with an ``index`` each, which counts through the whole stream: the
        openai client's ``stream()`` joins lists by it, and fails without."""
        start = self._listed[name]
        self._listed[name] += len(entries)
        return [
            {**entry, "index": start + i} if isinstance(entry, Mapping) else entry
            for i, entry in enumerate(entries)
        ]

    def _finish(self, reason: str | None) -> str | None:
        return "function_call" if reason == "tool_calls" and self.old_functions else reason

    def _cost(self, service_model: str | None, usage: LiteLLMUsage) -> float | None:
        """Dollars for ``usage``, or None when no price is known (or LiteLLM has a custom one)."""
        return None if self.custom_pricing else price_of((service_model, self.base_model), usage)


def price_of(models: Iterable[str | None], usage: LiteLLMUsage) -> float | None:
    """Dollars for ``usage`` of the first of these models that has a price."""
    for name in models:
        for candidate in _priced_names(name) if name else ():
            try:
                prompt, completion = litellm.cost_per_token(model=candidate, usage_object=usage)
            except Exception:  # LiteLLM raises plain Exception for a model without a price
                continue
            return float(prompt) + float(completion)
    return None


def _priced_names(name: str) -> list[str]:
    """The names that a project's model may have in LiteLLM's price list: as one of Azure OpenAI, as
    another one of Foundry, or as it is (if LiteLLM knows it: else it prints a list of providers).
    """
    known = name in litellm.model_cost or "/" in name
    return [f"azure/{name}", f"azure_ai/{name}", *([name] if known else [])]


# -- LiteLLM's hidden params -------------------------------------------------------------------


def add_ids(wrapper: Any, ids: Mapping[str, str]) -> None:
    """Put the ids into the hidden params of LiteLLM's stream object."""
    for hidden in (wrapper._hidden_params, getattr(wrapper, "_base_hidden_params", None)):
        if isinstance(hidden, dict):
            hidden.update(ids)


def cost_of(response: Any) -> float | None:
    """The cost that LiteLLM reports for a response, None if it knows none."""
    cost: float | None = response._hidden_params.get("response_cost")
    return cost


def replace_cost(response: Any, cost: float) -> None:
    """Make LiteLLM report ``cost`` for a response, if it reports one at all."""
    if "response_cost" in response._hidden_params:
        response._hidden_params["response_cost"] = cost


# -- folding -----------------------------------------------------------------------------------


def merge_fields(into: dict[str, Any], fields: Mapping[str, Any]) -> None:
    """Add a delta's provider-specific ``fields`` to those of the deltas before it.

    Entries of lists are merged by their id, see `fold_by_id`; other values replace what was there.
    """
    for name, value in fields.items():
        if isinstance(value, list):
            into[name] = fold_by_id(into.get(name) or [], value)
        else:
            into[name] = value


def map_usage(usage: Usage) -> LiteLLMUsage:
    """``usage`` as LiteLLM's type."""
    return LiteLLMUsage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
        prompt_tokens_details=None
        if usage.cached_tokens is None
        else PromptTokensDetailsWrapper(cached_tokens=usage.cached_tokens),
        completion_tokens_details=None
        if usage.reasoning_tokens is None
        else CompletionTokensDetailsWrapper(reasoning_tokens=usage.reasoning_tokens),
    )
