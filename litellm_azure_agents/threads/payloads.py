"""OpenAI messages and parameters -> bodies of thread, message and run requests (protocols A3)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..content import tools
from ..content.messages import NOTHING, about
from ..content.parts import assistant_text, build_content, says_nothing, text_of
from ..content.uploads import Incoming
from ..continuity.isolation import owned
from ..continuity.tool_results import result_text
from ..core.attempts import CALL_ID_KEY, MAX_METADATA, NONCE_KEY
from ..core.call import Call
from ..core.json_values import JsonObject, as_object
from ..core.options import OptionError

MAX_MESSAGES = 32
"""Most messages in one thread creation or run (protocols A7)."""
MAX_TOOLS = 128
MIN_TOKENS = 256
"""Least ``max_completion_tokens`` of a run (protocols A3)."""

NEW_ONLY: dict[str, str] = {
    "conversation_id": "use thread_id",
    "previous_response_id": "use thread_id",
    "agent_session_id": "classic agents have no sessions",
    "structured_inputs": "use additional_instructions",
    "include": "use include_run_steps",
    "truncation": "use truncation_strategy",
    "max_tool_calls": "runs know no such limit",
    "response_metadata": "use run_metadata",
    "background": "use run_mode='poll'",
    "reasoning_effort": "runs take none",
}
"""Options and parameters that only new agents have, and what to do instead."""


def split_messages(
    messages: Sequence[Mapping[str, Any]],
) -> tuple[str | None, list[Mapping[str, Any]]]:
    """The system and developer texts joined (None if there are none), and the other messages."""
    texts = []
    for message in messages:
        if message.get("role") in ("system", "developer"):
            with about(message):
                texts.append(text_of(message.get("content")))
    others = [m for m in messages if m.get("role") not in ("system", "developer")]
    joined = "\n\n".join(text for text in texts if text)
    return joined or None, others


def build_messages(messages: Sequence[Mapping[str, Any]], incoming: Incoming) -> list[JsonObject]:
    """User and assistant turns as thread messages.

    A thread has neither tool calls nor tool results as messages: those in old history become
    readable text of the assistant turn that made them, so that nothing of it is lost.
    """
    built: list[JsonObject] = []
    names: dict[str, str] = {}
    said: list[str] = []  # of the assistant turn that may go on
    for number, message in enumerate(messages):
        with about(message):
            _add(built, said, message, names, incoming, last=number == len(messages) - 1)
    _end_assistant_turn(built, said)
    return built


def _add(
    built: list[JsonObject],
    said: list[str],
    message: Mapping[str, Any],
    names: dict[str, str],
    incoming: Incoming,
    *,
    last: bool,
) -> None:
    """One message; ``names`` are those of the functions called so far, by call id.

    Results are added to the assistant turn before them: ``said`` has its texts until it ends.
    """
    role = message.get("role")
    if role == "user" and says_nothing(message.get("content")):
        if last:
            raise ValueError(NOTHING)
        return  # the service takes no empty message; an old one says nothing anyway
    if role in ("tool", "function"):
        name = names.get(str(message.get("tool_call_id"))) or message.get("name") or "tool"
        said.append(f"[{name} returned: {result_text(message.get('content'))}]")
    elif role == "assistant":
        text = assistant_text(message)
        texts = [text] if text else []
        for call in _calls_of(message):
            function = call.get("function") or call.get("custom") or {}
            names[str(call.get("id"))] = str(function.get("name"))
            arguments = function.get("arguments") or function.get("input") or ""
            texts.append(f"[called {function.get('name')}({arguments})]")
        if texts:
            _end_assistant_turn(built, said)
            said += texts
    else:
        _end_assistant_turn(built, said)
        built.append(build_content(message, incoming))


def _calls_of(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    calls = [call for call in message.get("tool_calls") or () if isinstance(call, Mapping)]
    if message.get("function_call"):
        calls.append({"id": None, "function": message["function_call"]})
    return calls


def _end_assistant_turn(built: list[JsonObject], said: list[str]) -> None:
    if said:
        built.append({"role": "assistant", "content": "\n".join(said)})
        said.clear()


def build_run(call: Call, *, stream: bool) -> JsonObject:
    """The run's body but for messages, instructions and tools, which depend on the thread."""
    params, options = call.params, call.options
    body: JsonObject = {"assistant_id": call.agent, "stream": stream}
    limit = params.token_limit
    if limit is not None and (call.drop_params or not call.limit_is_callers):
        limit = max(limit, MIN_TOKENS)  # else the service's own refusal says what it takes
    _set(
        body,
        temperature=params.temperature,
        top_p=params.top_p,
        max_completion_tokens=limit,
        max_prompt_tokens=options.max_prompt_tokens,
        response_format=_build_format(params.response_format),
        tool_choice=build_tool_choice(call),
        # A client of old functions is given one call in a message.
        parallel_tool_calls=False if params.functions else params.parallel_tool_calls,
        truncation_strategy=options.truncation_strategy,
        tool_resources=options.tool_resources,
        metadata=build_metadata(call),
    )
    return body


def _build_format(given: Mapping[str, Any] | str | None) -> Any:
    """The caller's response_format; a schema's fields that are None are left out."""
    schema = as_object(given).get("json_schema")
    if not isinstance(given, Mapping) or not isinstance(schema, Mapping):
        return given
    return {**given, "json_schema": tools.cleaned(schema)}


def check_new_options(call: Call) -> None:
    """Refuse what only new agents have, by name; raises OptionError."""
    for name, advice in NEW_ONLY.items():
        value = getattr(call.options, name, None) or getattr(call.params, name, None)
        if value and not call.drop_params:
            raise OptionError(f"{name!r} is for new agents: {advice}", name)


def build_metadata(call: Call) -> dict[str, str]:
    """The caller's run metadata and, if there is room, the nonce and the id of the call."""
    metadata = with_nonce(call, call.options.run_metadata)
    if call.call_id and len(metadata) < MAX_METADATA:
        metadata.setdefault(CALL_ID_KEY, call.call_id)
    return metadata


def with_nonce(call: Call, metadata: Mapping[str, str] | None) -> dict[str, str]:
    """Metadata with the owner, and with the nonce by which the object is found if the reply gets
    lost. Raises OptionError if there is no room for the owner."""
    marked = {name: text for name, text in (metadata or {}).items() if name != NONCE_KEY}
    marked = owned(marked, call.owner)
    if len(marked) < MAX_METADATA:
        marked[NONCE_KEY] = call.attempt.nonce
    return marked


def build_tool_choice(call: Call) -> Any:
    choice = call.params.tool_choice
    if choice is None and call.params.function_call is not None:
        choice = call.params.function_call
        if isinstance(choice, dict):
            return {"type": "function", "function": {"name": choice.get("name")}}
    return choice


def one_function(choice: Any, tools: Sequence[Mapping[str, Any]]) -> Any:
    """``choice`` for a run with ``tools``: "required", which the service's enum lacks (protocols
    A3), is the function if there is one alone."""
    names = {as_object(t.get("function")).get("name") for t in tools if t.get("type") == "function"}
    if choice != "required" or len(names) != 1:
        return choice
    return {"type": "function", "function": {"name": names.pop()}}


def caller_tools(call: Call) -> list[JsonObject]:
    """The caller's tools; a function without parameters says so, as the service wants it."""
    none = {"type": "object", "properties": {}}
    return [
        {**tool, "function": {"parameters": none, **tool["function"]}}
        if tool.get("type") == "function" and isinstance(tool.get("function"), Mapping)
        else tool
        for tool in tools.caller_tools(call.params)
    ]


def merge_tools(
    agents: Sequence[Mapping[str, Any]], callers: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The agent's tools and the caller's, whose function wins over the agent's of the same name.

    Raises ValueError above the service's limit of 128.
    """
    callers_keys = {_tool_key(tool) for tool in callers}
    merged = [tool for tool in agents if _tool_key(tool) not in callers_keys] + list(callers)
    if len(merged) > MAX_TOOLS:
        raise ValueError(
            f"{len(merged)} tools in a run, the agent's own included; the service takes {MAX_TOOLS}"
        )
    return merged


def _tool_key(tool: Mapping[str, Any]) -> str:
    if tool.get("type") == "function":
        return "function:" + str(as_object(tool.get("function")).get("name"))
    return json.dumps(tool, sort_keys=True, default=str)


def build_instructions(call: Call, system: str | None) -> tuple[str | None, str | None]:
    """What replaces the agent's instructions, and what is added to them; None if nothing."""
    options = call.options
    replaces, adds = [options.instructions], [options.additional_instructions]
    if options.system_messages == "replace":
        replaces.append(system)
    elif options.system_messages == "additional":
        adds.append(system)
    return _join(replaces), _join(adds)


def _join(texts: Sequence[str | None]) -> str | None:
    return "\n\n".join(text for text in texts if text) or None


def _set(body: JsonObject, **fields: Any) -> None:
    body.update({name: value for name, value in fields.items() if value is not None})
