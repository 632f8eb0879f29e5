"""The caller's messages, checked before anything is made of them: what is wrong is named by index.

LiteLLM checks little of them, and a service's refusal would not say which of many is meant. What a
part of the right shape *says* (an unknown type, an image that is none) is checked where it is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel

from ..core.json_values import sendable
from .parts import says_nothing

Message = Mapping[str, Any]

NOTHING = "the last message says nothing; give it 'content'"
ROLES = ("system", "developer", "user", "assistant", "tool", "function")


class MessageError(ValueError):
    """What is wrong with a message, and what to do; `describe` says which one it is."""

    def __init__(self, problem: str, message: Any) -> None:
        super().__init__(problem)
        self.message = message


@contextmanager
def about(message: Message) -> Iterator[None]:
    """A ValueError raised within is one of ``message``."""
    try:
        yield
    except MessageError:
        raise
    except ValueError as error:
        raise MessageError(str(error), message) from None


def describe(messages: Sequence[Any], error: ValueError) -> str:
    """The text of ``error``, with the index of the message that it is about, if it is."""
    if isinstance(error, MessageError):
        for index, message in enumerate(messages):
            if message is error.message:
                return f"messages[{index}]: {error}"
    return str(error)


def check_messages(messages: Any) -> list[Message]:
    """``messages`` as mappings that can be sent (clients hand in pydantic objects, too). Halves of
    characters are repaired. Raises ValueError."""
    if not isinstance(messages, (list, tuple)) or not messages:
        raise ValueError(
            "messages must be a list of at least one message, such as "
            f"[{{'role': 'user', 'content': 'Hello'}}], not {_kind(messages)}"
        )
    checked = [_checked(message) for message in messages]
    last = checked[-1]
    said = any(last.get(name) for name in ("tool_calls", "function_call", "refusal"))
    silent = says_nothing(last.get("content")) and not said
    if last.get("role") in ("user", "assistant") and silent:
        raise MessageError(NOTHING, messages[-1])
    return checked


def _checked(given: Any) -> Message:
    message = given.model_dump() if isinstance(given, BaseModel) else given
    if not isinstance(message, Mapping):
        raise MessageError(
            f"a message is a mapping with 'role' and 'content', not {_kind(given)}", given
        )
    try:
        clean: Message = sendable(message, strict=False)
    except ValueError as error:
        raise MessageError(f"this message can't be sent: {error}", given) from None
    problem = _problem(clean)
    if problem:
        raise MessageError(problem, given)
    return clean


def _problem(message: Message) -> str | None:
    role = message.get("role")
    if not isinstance(role, str) or role not in ROLES:
        given = f"not {role!r}" if role is not None else "and this message has none"
        return f"the roles are system, developer, user, assistant and tool, {given}"
    name = message.get("name")
    if name is not None and not isinstance(name, str):
        return f"'name' is text, not {_kind(name)}; leave it out"
    if role == "tool" and not _is_text(message.get("tool_call_id")):
        return (
            "a tool message needs 'tool_call_id', the id of the call that it answers, not "
            + _kind(message.get("tool_call_id"))
        )
    if role == "function" and not _is_text(name):
        return "a function message needs 'name', the function that was called"
    if role == "assistant":
        problem = _problem_of_calls(message)
        if problem:
            return problem
    # What a tool gave back may be any JSON: it is passed on as text.
    return None if role in ("tool", "function") else _problem_of_content(message.get("content"))


def _problem_of_content(content: Any) -> str | None:
    if content is None or isinstance(content, str):
        return None
    if not isinstance(content, list):
        return f"'content' is a string or a list of parts, not {_kind(content)}"
    for number, part in enumerate(content):
        if isinstance(part, str):
            continue
        if not isinstance(part, Mapping) or not _is_text(part.get("type")):
            return (
                f"content[{number}] is {_kind(part)}; a part is a mapping with 'type', such as "
                "{'type': 'text', 'text': '…'}"
            )
        text = part.get("text")
        if text is not None and not isinstance(text, str):
            return f"content[{number}]: 'text' is a string, not {_kind(text)}"
    return None


def _problem_of_calls(message: Message) -> str | None:
    calls = message.get("tool_calls")
    old = message.get("function_call")
    if calls is not None and not isinstance(calls, (list, tuple)):
        return f"'tool_calls' is a list, not {_kind(calls)}"
    for number, call in enumerate(calls or ()):
        if not isinstance(call, Mapping) or not _is_text(call.get("id")):
            return f"tool_calls[{number}] needs an 'id'; give the calls back as they came"
        if "function" not in call and call.get("type") not in (None, "function"):
            continue  # another model's kind of call, in old history
        problem = _problem_of_function(call.get("function"))
        if problem:
            return f"tool_calls[{number}]: {problem}"
    problem = None if old is None else _problem_of_function(old)
    return f"function_call: {problem}" if problem else None


def _problem_of_function(function: Any) -> str | None:
    if not isinstance(function, Mapping) or not _is_text(function.get("name")):
        return "'function' is a mapping with 'name' and 'arguments'; give it back as it came"
    arguments = function.get("arguments")
    if arguments is not None and not isinstance(arguments, str):
        return f"'arguments' is JSON text, not {_kind(arguments)}"
    return None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _kind(value: Any) -> str:
    """What a wrong value is, in a few words: never its whole content, which may be long."""
    if value is None:
        return "None"
    if isinstance(value, (list, tuple)) and not value:
        return "an empty list"
    if isinstance(value, Mapping):
        return f"a mapping of {sorted(map(str, value))}"[:120]
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
