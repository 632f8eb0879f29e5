"""Scripts: what an agent does, written as JSON in its metadata.

`metadata["emulator_script"]` is a list of actions; a value has at most 512 characters, so a longer
script goes on in `emulator_script_2`, `emulator_script_3`, ... Each action is an object with one
of these keys:

    {"say": "Hello {user}", "repeat": 3}        text, word by word; {user}, {instructions},
                                                {result} (of the last call), {results} are filled in
    {"chunks": ["a", "b"]}                      text, one delta each
    {"refuse": "I can't."}                      a refusal
    {"think": "summary", "text": "..."}         reasoning (new protocol only)
    {"item": {"type": "...", ...}}              an output item as it is (new protocol only)
    {"part": true} {"message": true}            begin another text part, another message
    {"call": "name", "arguments": {...}}        call a function; arguments fit its schema if absent
    {"calls": [{"call": ...}, ...]}             several functions at once
    {"mcp": "label", "name": "tool", "arguments": {...}, "output": "..."}
    {"search": "query"}                         search the files ({user} and so on are filled in)
    {"code": "print(1)", "logs": "1", "image": "plot"}      use code interpreter
    {"tool": "bing_grounding", "fields": {...}} any other hosted tool
    {"cite": "https://...", "title": "...", "marker": "【3:0†source】"}     a url citation
    {"image": "plot"}                           an image part
    {"wait": 0.5}                               pause for some seconds
    {"fail": "server_error", "message": "..."}  the run fails
    {"incomplete": "content_filter"}            the run stops early

A call of any kind ends a round. What follows it is played when the call has its result.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .arguments import calls_for
from .base import (
    Action,
    Annotation,
    CallFunction,
    CallMcp,
    Fail,
    Image,
    Incomplete,
    Logs,
    NewMessage,
    NewPart,
    OutputFile,
    OutputItem,
    Reason,
    Refuse,
    RunCode,
    SearchFiles,
    Text,
    Turn,
    UseTool,
    Wait,
)
from .behaviours import words
from .code_answers import bar_chart, numbers

KEY = "emulator_script"
_CALLS = ("call", "calls", "mcp", "search", "code", "tool")


class BadScript(ValueError):
    """A script that can't be played; the run fails with this message."""


def script_of(metadata: Mapping[str, str]) -> list[dict[str, Any]] | None:
    """The script in an agent's metadata, None if there is none. Raises BadScript."""
    if KEY not in metadata:
        return None
    text, number = metadata[KEY], 2
    while f"{KEY}_{number}" in metadata:
        text += metadata[f"{KEY}_{number}"]
        number += 1
    try:
        script = json.loads(text)
    except ValueError as error:
        raise BadScript(f"metadata.{KEY} is not JSON: {error}") from error
    if not isinstance(script, list) or not all(isinstance(a, dict) for a in script):
        raise BadScript(f"metadata.{KEY} must be a list of actions")
    return script


def play_script(script: list[dict[str, Any]], turn: Turn) -> Iterator[Action]:
    """The part of the script that belongs to this round."""
    answered = len(turn.calls)
    for entry in script:
        size = len(entry["calls"]) if "calls" in entry else 1
        is_call = any(key in entry for key in _CALLS)
        if answered > 0:  # played in an earlier round
            answered -= size if is_call else 0
            continue
        yield from _play(entry, turn)
        if is_call:
            return


def _play(entry: dict[str, Any], turn: Turn) -> Iterator[Action]:
    if "say" in entry:
        for _ in range(int(entry.get("repeat", 1))):
            yield from words(_fill(entry["say"], turn))
    elif "chunks" in entry:
        yield from (Text(_fill(chunk, turn)) for chunk in entry["chunks"])
    elif "fail" in entry:
        yield Fail(entry["fail"], _fill(entry.get("message", "The script says so."), turn))
    elif "refuse" in entry:
        yield Refuse(_fill(entry["refuse"], turn))
    elif "think" in entry:
        yield Reason(_fill(entry["think"], turn), _fill(entry.get("text", ""), turn))
    elif "item" in entry:
        yield OutputItem(entry["item"])
    elif "part" in entry:
        yield NewPart()
    elif "message" in entry:
        yield NewMessage()
    elif "call" in entry or "calls" in entry:
        for call in entry.get("calls", [entry]):
            yield CallFunction(call["call"], _arguments(call, turn))
    elif "mcp" in entry:
        arguments = json.dumps(entry.get("arguments", {}), ensure_ascii=False)
        output = _fill(entry.get("output", "done"), turn)
        yield CallMcp(entry["mcp"], entry.get("name", "call"), arguments, output)
    elif "search" in entry:
        yield SearchFiles(_fill(entry["search"], turn))
    elif "code" in entry:
        outputs: list[Logs | OutputFile] = [Logs(entry["logs"])] if "logs" in entry else []
        outputs += [_plot(entry["image"], turn)] if "image" in entry else []
        yield RunCode(entry["code"], tuple(outputs) or None)
    elif "tool" in entry:
        yield UseTool(entry["tool"], entry.get("fields", {}), entry["tool"])
    elif "cite" in entry:
        marker = entry.get("marker", "【3:0†source】")
        citation = Annotation(
            "url_citation", marker, url=entry["cite"], title=entry.get("title", "")
        )
        yield Text(marker, (citation,))
    elif "image" in entry:
        yield Image(_plot(entry["image"], turn))
    elif "wait" in entry:
        yield Wait(float(entry["wait"]))
    elif "incomplete" in entry:
        yield Incomplete(entry["incomplete"])
    else:
        raise BadScript(f"unknown action in metadata.{KEY}: {json.dumps(entry)[:200]}")


def _arguments(call: Mapping[str, Any], turn: Turn) -> str:
    if "arguments" in call:
        return json.dumps(call["arguments"], ensure_ascii=False)
    for tool in turn.tools:
        if tool.type == "function" and tool.name == call["call"]:
            return calls_for(tool.parameters, turn.user_text)[0]
    return "{}"


def _plot(name: str, turn: Turn) -> OutputFile:
    return OutputFile(bar_chart(numbers(turn.user_text)), f"{name}.png")


def _fill(text: str, turn: Turn) -> str:
    values = {
        "{user}": turn.user_text,
        "{instructions}": turn.instructions,
        "{results}": "; ".join(call.output for call in turn.calls),
        "{result}": turn.calls[-1].output if turn.calls else "",
    }
    for name, value in values.items():
        text = text.replace(name, value)
    return text
