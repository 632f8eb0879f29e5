"""The key under which a thread is remembered: a hash of whose chat it is and what it holds.

A client that knows no thread ids sends its history with every call. The history up to its last
assistant turn names the thread that holds exactly these turns. `thread_key` is equal for two
histories if they say the same, also where clients change an answer on its way back: white space,
``content: null``, the order of JSON keys, annotations, reasoning and one text in several parts do
not count. What a user has written counts to the letter, except for white space at its ends.

System and developer messages are not part of a history: they go with each run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..content.parts import TEXT_TYPES
from ..core.deltas import Delta
from ..core.json_values import as_object, as_text
from .call_ids import unsealed

_PREFIX = "azure_agents:thread:"
_FORM = 1
"""Raise this number whenever the same history gets another key than before."""
_DROPPED_ROLES = ("system", "developer")
_NOT_IN_ANSWERS = ("thinking", "redacted_thinking", "reasoning")
"""Types of parts in assistant turns that clients leave out as they like."""

Message = Mapping[str, Any]
Part = list[Any]
"""The kind of a part and what it says."""


def chat_scope(*, endpoint: str, agent: str, owner: str, chat_ids: Sequence[str] = ()) -> str:
    """Whose chats and with whom: chats of different scopes never share a thread.

    ``owner`` is the caller as the proxy has authenticated it. ``chat_ids`` are the client's own
    names for the chat.
    """
    return _digest(["scope", _FORM, endpoint, agent, owner, *chat_ids])


def thread_key(scope: str, messages: Sequence[Message]) -> str:
    """The key of the thread that holds ``messages`` and nothing else."""
    return _PREFIX + _digest([scope, normalised(messages)])


def instructions_digest(messages: Iterable[Message]) -> str:
    """A digest of the system and developer messages, "" if there are none."""
    texts = [
        _text_of(part)
        for m in messages
        if m.get("role") in _DROPPED_ROLES
        for part in (m["content"] if isinstance(m.get("content"), list) else [m.get("content")])
    ]
    return _digest(texts)[:16] if any(texts) else ""


def normalised(messages: Iterable[Message]) -> list[list[Any]]:
    """The turns of a history without all that clients may change in them.

    Assistant messages in a row are one turn, since some clients keep calls apart from the text.
    Results in a row are sorted: their order says nothing.
    """
    turns: list[list[Any]] = []
    for message in messages:
        role = message.get("role")
        if role in _DROPPED_ROLES:
            continue
        turn = _assistant(message) if role == "assistant" else _other(message)
        last = turns[-1] if turns else None
        if role == "assistant" and last is not None and last[0] == "assistant":
            last[1] += turn[1]
            last[2] += turn[2]
        elif turn[0] == "results" and last is not None and last[0] == "results":
            last[1] = sorted([*last[1], *turn[1]])
        else:
            turns.append(turn)
    return turns


def _assistant(message: Message) -> list[Any]:
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    texts = [_text_of(part) for part in parts if not _is_thought(part)]
    text = _without_space(texts) or _without_space([as_text(message.get("refusal"))])
    return ["assistant", text, _calls(message)]


def _calls(message: Message) -> list[Part]:
    calls = message.get("tool_calls")
    found = [as_object(call) for call in calls] if isinstance(calls, (list, tuple)) else []
    if message.get("function_call"):
        found.append({"function": message["function_call"]})
    return [
        [unsealed(as_text(call.get("id"))), as_text(function.get("name")),
         _canonical(function.get("arguments") or function.get("input") or "{}")]
        for call in found
        for function in [as_object(call.get("function") or call.get("custom"))]
    ]  # fmt: skip


def _other(message: Message) -> list[Any]:
    role, content = message.get("role"), message.get("content")
    if role in ("tool", "function"):
        answered = unsealed(as_text(message.get("tool_call_id"))) or as_text(message.get("name"))
        return ["results", [[answered, _result(content)]]]
    return [str(role), _parts(content)]


def _result(content: Any) -> str:
    if isinstance(content, list):
        parts = _parts(content)
        if len(parts) == 1 and parts[0][0] == "text":
            return _canonical(parts[0][1])
        return json.dumps(parts, sort_keys=True, default=str)
    return _canonical(content)


def _parts(content: Any) -> list[Part]:
    """The parts of a user's message; texts side by side are one."""
    found: list[Part] = []
    for part in content if isinstance(content, list) else [content]:
        named = _part(part)
        if named == ["text", ""]:
            continue
        if found and found[-1][0] == named[0] == "text":
            found[-1][1] += "\n" + named[1]
        else:
            found.append(named)
    return found


def _part(part: Any) -> Part:
    given = as_object(part)
    kind = as_text(given.get("type"))
    if not given or kind in TEXT_TYPES:
        return ["text", _lines(_text_of(part))]
    if kind in ("image_url", "input_image"):
        image = given.get("image_url")
        url = as_text(image) or as_text(as_object(image).get("url"))
        return ["image", as_text(given.get("file_id")) or _data(url)]
    if kind in ("file", "input_file", "image_file"):
        inner = as_object(given.get("file") or given.get("image_file")) or given
        data = as_text(inner.get("file_data")) or as_text(inner.get("file_url"))
        return ["file", as_text(inner.get("file_id")), as_text(inner.get("filename")), _data(data)]
    return [kind, json.dumps(given, sort_keys=True, default=str)]


def _text_of(part: Any) -> str:
    given = as_object(part)
    return as_text(part) or as_text(given.get("text")) or as_text(given.get("refusal"))


def _is_thought(part: Any) -> bool:
    return as_text(as_object(part).get("type")) in _NOT_IN_ANSWERS


def _data(url: str) -> str:
    """A URL; of data the digest, whatever media type it has and however it is broken into lines."""
    if url.startswith("data:") or "://" not in url:
        data = "".join(url.rpartition(",")[2].split())
        return hashlib.sha256(data.encode(errors="replace")).hexdigest() if data else ""
    return url


def _without_space(texts: Iterable[str]) -> str:
    """An answer's text without any white space: clients trim it, wrap it and cut it into parts."""
    return "".join("".join(texts).split())


def _lines(text: str) -> str:
    """A user's text: every line end is ``\\n``, nothing else is changed but its ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _canonical(value: Any) -> str:
    """JSON in one form, whether it comes as text or as a value; other text without its ends."""
    try:
        parsed = json.loads(value) if isinstance(value, str) else value
        return json.dumps(parsed, sort_keys=True, default=str)
    except (ValueError, RecursionError):
        return _lines(str(value))


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


# -- the answer --------------------------------------------------------------------------------


@dataclass(slots=True)
class Transcript:
    """The answer as the client gets it, which is what the client will send back."""

    old_functions: bool = False
    """The client gets the first call as ``function_call``, see `ChunkFactory`."""
    exact: bool = True
    """False if the thread holds another text than the client has."""
    _texts: list[str] = field(default_factory=list)
    _refusal: list[str] = field(default_factory=list)
    _calls: list[tuple[str | None, str, list[str]]] = field(default_factory=list)

    def add(self, deltas: Iterable[Delta]) -> None:
        """What was given out."""
        for delta in deltas:
            self._texts.append(delta.text)
            self._refusal.append(delta.refusal)
            piece = delta.tool_call
            if piece is not None:
                if piece.index == len(self._calls):
                    self._calls.append((piece.id, as_text(piece.name), []))
                self._calls[piece.index][2].append(piece.arguments)
            if any(name.endswith("_revised") for name in delta.fields):
                self.exact = False

    def message(self) -> dict[str, Any]:
        """The assistant turn in a client's history."""
        calls = [
            {"id": id, "function": {"name": name, "arguments": "".join(pieces)}}
            for id, name, pieces in self._calls
        ]
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self._texts)}
        message["refusal"] = "".join(self._refusal)
        if calls and self.old_functions:
            message["function_call"] = calls[0]["function"]
        else:
            message["tool_calls"] = calls
        return message
