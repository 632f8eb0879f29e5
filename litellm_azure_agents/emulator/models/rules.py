"""The default model: deterministic rules that act from the agent's own definition.

In this order: a script in the agent's metadata (see `scripts`); a built-in behaviour named there
(see `behaviours`); else the general rules: call the tools that the user's text mentions, then
answer with their results; answer questions about instructions and history; answer in JSON if the
response format says so; else echo.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence

from .arguments import calls_for, make_value, places, resolve
from .base import (
    Action,
    CallFunction,
    CallItem,
    CallMcp,
    MessageItem,
    SearchFiles,
    Text,
    ToolSpec,
    Turn,
    UseTool,
    Wait,
)
from .behaviours import BEHAVIOURS, words
from .cited_answers import cited_answer, grounding_fields, is_grounding
from .code_answers import code_actions, wants_code
from .scripts import play_script, script_of

_STOP = frozenset({
    "get", "set", "the", "a", "an", "of", "for", "to", "in", "on", "by", "and", "or", "with",
    "from", "is", "are", "be", "do", "does", "fetch", "find", "list", "make", "create", "return",
    "returns", "given", "tool", "function", "this", "that", "it", "its", "user", "current", "now",
    "use", "used", "using", "call", "about", "what", "when", "which",
})  # fmt: skip
_CLAUSE = re.compile(r"\s*(?:[,;]|\band\b|\bthen\b)\s*", re.I)
_BEFORE = re.compile(
    r"\b(?:before you (?:call|look|check)|first say|say \w+ first|think aloud)", re.I
)
_HISTORY = re.compile(
    r"\b(?:history|what (?:did|have) I (?:say|said|tell|told|ask|asked)|what I said)\b", re.I
)
_INSTRUCTIONS = re.compile(
    r"\bwhat(?: are|'s| is|’s) your (?:system )?(?:instructions?|prompt)", re.I
)


class RuleModel:
    """The model of an emulator that is given no other."""

    async def respond(self, turn: Turn) -> AsyncIterator[Action]:
        """The next round; pauses come from the agent's metadata (milliseconds)."""
        pause = _milliseconds(turn, "emulator_delay_ms")
        start = _milliseconds(turn, "emulator_start_delay_ms")
        if start and not turn.calls:
            yield Wait(start)
        for action in self._actions(turn):
            if pause and isinstance(action, Text):
                yield Wait(pause)
            yield action

    def _actions(self, turn: Turn) -> Iterator[Action]:
        if script := script_of(turn.metadata):
            return play_script(script, turn)
        behaviour = BEHAVIOURS.get(turn.metadata.get("emulator_behaviour", ""))
        return behaviour(turn) if behaviour else general(turn)


def _milliseconds(turn: Turn, name: str) -> float:
    value = turn.metadata.get(name, "")
    return int(value) / 1000 if value.isdecimal() else 0.0


def general(turn: Turn) -> Iterator[Action]:
    """The general rules."""
    calls = next_calls(turn)
    if calls:
        if not turn.calls and _BEFORE.search(turn.user_text):
            yield from words("Let me check that for you.")
        yield from calls
        return
    yield from say(turn, answer_text(turn))


def next_calls(turn: Turn) -> list[Action]:
    """The tool calls of the next round."""
    if turn.tool_choice.mode == "none":
        return []
    planned = plan(turn)
    rest = planned[len(turn.calls) :]
    hosted = [a for a in rest if not isinstance(a, (CallFunction, CallMcp))]
    if hosted and rest[0] is hosted[0]:
        return rest[:1]
    together: list[Action] = [a for a in rest if isinstance(a, (CallFunction, CallMcp))]
    return together if turn.parallel_tool_calls else together[:1]


def plan(turn: Turn) -> list[Action]:
    """All calls that the user's text asks for; hosted tools come first."""
    text = turn.user_text
    chosen = turn.tool_choice
    if chosen.mode == "named":
        tools = [
            t
            for t in turn.tools
            if t.type == chosen.type and (not chosen.name or t.name == chosen.name)
        ]
        return [call for tool in tools[:1] for call in calls_of(tool, text)]
    if _INSTRUCTIONS.search(text) or _HISTORY.search(text):
        wanted: list[ToolSpec] = []
    else:
        wanted = [tool for tool in turn.tools if mentions(text, tool, turn.tools)]
    if not wanted and chosen.mode == "required":
        wanted = list(turn.tools[:1])
    wanted.sort(key=lambda tool: tool.type in ("function", "mcp"))
    return [call for tool in wanted for call in calls_of(tool, portion(text, tool, wanted))]


def portion(text: str, tool: ToolSpec, wanted: Sequence[ToolSpec]) -> str:
    """The clauses of a text that belong to one of several function tools.

    "the weather in Oslo and the time in Rome" asks each tool about its own place. A clause that
    names no tool belongs to the tool before it. A tool whose clauses name no place gets all.
    """
    functions = [t for t in wanted if t.type == "function"]
    if tool.type != "function" or len(functions) < 2:
        return text
    owners: list[ToolSpec] = []
    mine: list[str] = []
    for clause in _CLAUSE.split(text):
        named = [t for t in functions if _significant(t.name) & _stems(clause)]
        owners = named or owners
        if tool in owners:
            mine.append(clause)
    return " and ".join(mine) if places(" and ".join(mine)) else text


def calls_of(tool: ToolSpec, text: str) -> list[Action]:
    """The calls of one tool that the text asks for."""
    if tool.type == "function":
        return [CallFunction(tool.name, args) for args in calls_for(tool.parameters, text)]
    if tool.type == "mcp":
        allowed = tool.config.get("allowed_tools") or ["search"]
        name = max(allowed, key=lambda n: len(_significant(n) & _stems(text)))
        arguments = json.dumps({"query": text}, ensure_ascii=False)
        output = f"{tool.name}.{name} found 1 result for: {text}"
        return [CallMcp(tool.name, name, arguments, output)]
    if tool.type == "file_search":
        return [SearchFiles(text)]
    if tool.type == "code_interpreter":
        return [code_actions(text)]
    return [UseTool(tool.type, grounding_fields(tool, text), tool.name or tool.type)]


def mentions(text: str, tool: ToolSpec, tools: Sequence[ToolSpec]) -> bool:
    """Whether a text asks for this tool."""
    if tool.type == "code_interpreter":
        return wants_code(text) or (len(tools) == 1 and "code" in text.lower())
    if tool.type == "file_search":
        return not any(t.type == "code_interpreter" and wants_code(text) for t in tools)
    if is_grounding(tool.type) and len(tools) == 1:
        return True
    stems = _stems(text)
    if tool.name and re.search(rf"\b{re.escape(tool.name)}\b", text):
        return True
    if tool.type == "mcp":
        names = [tool.name, *(tool.config.get("allowed_tools") or [])]
        if any(_significant(name) & stems for name in names):
            return True
        # An agent whose only other tools are not mentioned asks its server.
        others = [t for t in tools if t is not tool and t.type != "mcp"]
        return not any(mentions(text, other, others) for other in others)
    if _significant(tool.name) & stems:
        return True
    about = _significant(tool.description)
    return len(about & stems) >= (1 if len(about) <= 3 else 2)


def _significant(text: str) -> set[str]:
    return {stem for stem in _stems(text) if stem not in _STOP}


def _stems(text: str) -> set[str]:
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).replace("_", " ").replace("-", " ")
    return {_stem(word) for word in re.findall(r"\w+", text.lower())}


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


# ---- answers --------------------------------------------------------------------------------


def answer_text(turn: Turn) -> str:
    """The answer when no tool is left to call."""
    text = turn.user_text
    if turn.response_format is not None:
        return json_answer(turn)
    if _INSTRUCTIONS.search(text):
        return f"My instructions: {turn.instructions or '(none)'}"
    if _HISTORY.search(text):
        earlier = [i.text for i in turn.items if isinstance(i, MessageItem) and i.role == "user"][
            :-1
        ]
        if not earlier:
            return "You have not said anything before this."
        return "Earlier you said: " + " ".join(f"{n}. {t}" for n, t in enumerate(earlier, 1))
    if turn.calls:
        return " ".join(map(_result, turn.calls))
    return "You said: " + text + _seen(turn)


def _result(call: CallItem) -> str:
    if call.type == "mcp":
        if call.approved is False:
            return f"I was not allowed to use {call.server_label}.{call.name}."
        return f"{call.server_label}.{call.name} answered: {call.output}"
    if call.type == "code_interpreter":
        return "The code printed: " + call.output
    return f"{call.name}({call.arguments}) returned: {call.output}"


def _seen(turn: Turn) -> str:
    """A note on the images and files of the user's last message."""
    last = next(
        (i for i in reversed(turn.items) if isinstance(i, MessageItem) and i.role == "user"), None
    )
    if last is None:
        return ""
    notes = [
        f"{len(things)} {noun}{'s' if len(things) > 1 else ''}"
        for things, noun in ((last.images, "image"), (last.file_ids, "file"))
        if things
    ]
    return f" (with {' and '.join(notes)})" if notes else ""


def json_answer(turn: Turn) -> str:
    """JSON in the format asked for."""
    format = turn.response_format or {}
    text = turn.user_text
    if format.get("type") == "json_schema":
        schema = format["schema"]
        return json.dumps(make_value(resolve(schema, schema), schema, text), ensure_ascii=False)
    answer: dict[str, object] = {"answer": text}
    if turn.calls:
        answer["results"] = {call.name: call.output for call in turn.calls}
    return json.dumps(answer, ensure_ascii=False)


def say(turn: Turn, text: str) -> Iterator[Action]:
    """The answer as text, with citations if files or the web were searched."""
    if turn.calls and turn.response_format is None:
        cited = cited_answer(turn)
        if cited is not None:
            yield from cited
            return
    yield from words(text)
