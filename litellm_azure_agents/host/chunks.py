"""Deltas -> LiteLLM's chunks and messages, which carry the thread id; usage, cost, finish reasons.

One of the two modules below ``handler.py`` that speak LiteLLM's types (``errors.py`` is the other).
A non-streamed answer is the same deltas folded into one message.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
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
    """Headers by which LiteLLM's proxy shows the ids (as ``llm_provider-x-thread-id`` …)."""
    return {f"x-{name.replace('_', '-')}": ids[name] for name in _HEADER_IDS if name in ids}


@dataclass(slots=True)
class ChunkFactory:
    """Makes the chunks of one answer: one id, one creation time, the ids of the thread on each."""

    model: str
    base_model: str | None = None
    custom_pricing: bool = False
    old_functions: bool = False
    """The client speaks of ``function_call``, as before there were tools."""
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4()}")
    created: int = field(default_factory=lambda: int(time.time()))
    _first: bool = True
    _listed: Counter[str] = field(default_factory=Counter)

    def chunk(self, delta: Delta, ids: Mapping[str, str]) -> ModelResponseStream:
        """The chunk for ``delta``; ``ids`` ride in hidden params and provider-specific fields."""
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
        out = LiteLLMDelta(**content, provider_specific_fields={**ids, **fields})
        if delta.refusal:
            out.refusal = delta.refusal  # type: ignore[attr-defined]
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
        self, deltas: Iterable[Delta], ids: Mapping[str, str], into: ModelResponse
    ) -> ModelResponse:
        """All ``deltas`` as one response, written into the object that LiteLLM gives for it."""
        text: list[str] = []
        reasoning: list[str] = []
        refusal: list[str] = []
        calls: list[dict[str, Any]] = []
        annotations: list[Any] = []
        images: list[Any] = []
        fields: dict[str, Any] = {}
        usage: Usage | None = None
        model: str | None = None
        finish = "stop"
        for delta in deltas:
            text.append(delta.text)
            reasoning.append(delta.reasoning)
            refusal.append(delta.refusal)
            annotations += delta.annotations
            images += delta.images
            merge_fields(fields, delta.fields)
            usage = delta.usage or usage
            model = delta.service_model or model
            finish = delta.finish_reason or finish
            piece = delta.tool_call
            if piece is not None:
                if piece.index == len(calls):
                    calls.append({"id": piece.id, "name": piece.name, "arguments": []})
                calls[piece.index]["arguments"].append(piece.arguments)
        message = Message(
            content="".join(text) or (None if calls or images else ""),
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
            reasoning_content="".join(reasoning) or None,
            images=images or None,
            provider_specific_fields={**ids, **fields},
        )
        if annotations:  # not in the constructor: LiteLLM's type knows url_citation only
            message.annotations = annotations
        if any(refusal):
            message.refusal = "".join(refusal)  # type: ignore[attr-defined]
        into.id = self.id
        into.created = self.created
        into.model = self.model
        if calls and self.old_functions:
            call = calls[0]
            message.function_call = FunctionCall(
                name=call["name"], arguments="".join(call["arguments"])
            )
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
        """The entries as lists of deltas have them: with an ``index`` that runs through the
        stream. The openai client's ``stream()`` joins lists by it, and fails without."""
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
    """What LiteLLM's price list may call a model of a project: Azure OpenAI's, one of the other
    models that Foundry sells, or as it is, unless LiteLLM would print its list of providers."""
    known = name in litellm.model_cost or "/" in name
    return [f"azure/{name}", f"azure_ai/{name}", *([name] if known else [])]


def merge_fields(into: dict[str, Any], fields: Mapping[str, Any]) -> None:
    """Fold provider-specific fields of several deltas: lists grow by id (see ``traces.py``), other
    values are replaced."""
    for name, value in fields.items():
        if isinstance(value, list):
            into[name] = fold_by_id(into.get(name) or [], value)
        else:
            into[name] = value


def map_usage(usage: Usage) -> LiteLLMUsage:
    """Our neutral counts as LiteLLM's Usage."""
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
