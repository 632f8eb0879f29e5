"""One function for all ways of calling: sync, sync stream, async, async stream."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import litellm

WAYS = ["sync", "sync stream", "async", "async stream"]


@dataclass
class Result:
    """What a caller got, in a form that does not depend on how it was asked for."""

    text: str
    finish_reason: str | None
    usage: Any
    ids: dict[str, Any]
    tool_calls: list[tuple[str, str, str]]
    fields: dict[str, Any]
    cost: float | None = None
    annotations: list[Any] = field(default_factory=list)
    images: list[Any] = field(default_factory=list)
    reasoning: str = ""
    refusal: str = ""
    chunks: list[Any] = field(default_factory=list)

    def assistant_message(self) -> dict[str, Any]:
        """The turn as a stateless OpenAI client keeps it."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text or None}
        if self.tool_calls:
            message["tool_calls"] = [
                {"id": i, "type": "function", "function": {"name": n, "arguments": a}}
                for i, n, a in self.tool_calls
            ]
        return message


class Way:
    """Makes a call in one way; ``ask`` returns a `Result`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_async = name.startswith("async")
        self.streamed = name.endswith("stream")

    def __repr__(self) -> str:
        return self.name

    def ask(self, **arguments: Any) -> Result:
        if self.is_async:
            return asyncio.run(self.aask(**arguments))
        if not self.streamed:
            return from_response(litellm.completion(**arguments))
        return from_chunks(list(litellm.completion(stream=True, **_with_usage(arguments))))

    async def aask(self, **arguments: Any) -> Result:
        if not self.streamed:
            return from_response(await litellm.acompletion(**arguments))
        stream = await litellm.acompletion(stream=True, **_with_usage(arguments))
        return from_chunks([chunk async for chunk in stream])


def _with_usage(arguments: dict[str, Any]) -> dict[str, Any]:
    return {"stream_options": {"include_usage": True}, **arguments}


COUNTS_NOTHING_AS_NOTHING = tuple(map(int, version("litellm").split(".")[:2])) >= (1, 106)
"""LiteLLM before 1.106 replaces a stream's usage of 0 by an estimate."""


IDS = ("thread_id", "run_id", "message_id", "conversation_id", "response_id")


def from_response(response: Any) -> Result:
    message = response.choices[0].message
    fields = message.provider_specific_fields or {}
    return Result(
        text=message.content or "",
        finish_reason=response.choices[0].finish_reason,
        usage=_counts(response.usage),
        ids={k: v for k, v in fields.items() if k in IDS},
        tool_calls=[
            (c.id, c.function.name, c.function.arguments) for c in message.tool_calls or ()
        ],
        fields={k: v for k, v in fields.items() if k not in IDS},
        cost=response._hidden_params.get("response_cost"),
        annotations=list(getattr(message, "annotations", None) or ()),
        images=list(getattr(message, "images", None) or ()),
        reasoning=getattr(message, "reasoning_content", None) or "",
        refusal=getattr(message, "refusal", None) or "",
    )


def from_chunks(chunks: list[Any]) -> Result:
    result = Result("", None, None, {}, [], {}, chunks=chunks)
    calls: dict[int, list[str]] = {}
    for chunk in chunks:
        usage = getattr(chunk, "usage", None) or chunk._hidden_params.get("usage")
        if usage is not None:
            result.usage = _counts(usage)
            result.cost = getattr(usage, "cost", None)
        for choice in chunk.choices:
            delta = choice.delta
            result.finish_reason = choice.finish_reason or result.finish_reason
            result.text += delta.content or ""
            result.reasoning += getattr(delta, "reasoning_content", None) or ""
            result.refusal += getattr(delta, "refusal", None) or ""
            result.annotations += without_index(getattr(delta, "annotations", None) or ())
            result.images += getattr(delta, "images", None) or ()
            fields = getattr(delta, "provider_specific_fields", None) or {}
            for name, value in fields.items():
                if name in IDS:
                    result.ids[name] = value
                elif isinstance(value, list):
                    result.fields[name] = _fold(result.fields.get(name, []), without_index(value))
                else:
                    result.fields[name] = value
            assert len(delta.tool_calls or ()) < 2, "clients read the first call of a chunk only"
            for call in delta.tool_calls or ():
                if call.id:
                    assert call.index not in calls, "a call's id is given twice"
                    calls[call.index] = [call.id, call.function.name, ""]
                calls[call.index][2] += call.function.arguments or ""
    result.tool_calls = [tuple(calls[i]) for i in sorted(calls)]  # type: ignore[misc]
    return result


def without_index(entries: Any) -> list[Any]:
    """Entries of a list in a delta, without the number that only deltas have."""
    return [{k: v for k, v in e.items() if k != "index"} for e in entries]


def _fold(old: list[Any], new: list[Any]) -> list[Any]:
    """As documented: an entry stands for earlier ones with its id, unless it is but a delta."""
    folded: dict[Any, Any] = {e.get("id") or e["file_id"]: e for e in old}
    for entry in new:
        key = entry.get("id") or entry["file_id"]
        if "delta" not in entry or key not in folded:
            folded[key] = entry
    return list(folded.values())


def _counts(usage: Any) -> tuple[int, int, int] | None:
    return usage and (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
