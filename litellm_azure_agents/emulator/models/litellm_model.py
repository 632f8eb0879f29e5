"""A model that LiteLLM can call. LiteLLM is imported when one is made.

Agents keep their instructions, tools and history; the model given here replaces the one that they
name. Agents with a script or a behaviour in their metadata play that instead.
"""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .base import (
    Action,
    CallFunction,
    CallMcp,
    CallPiece,
    Fail,
    Image,
    Incomplete,
    MessageItem,
    Reason,
    Refuse,
    RunCode,
    SearchFiles,
    Turn,
    Usage,
    UseTool,
)
from .behaviours import BEHAVIOURS
from .cited_answers import grounding_fields, is_grounding
from .markers import Markers, links, passages
from .messages import DeclaredTool, declared_tools, messages_of, response_format, tool_choice
from .rules import RuleModel
from .scripts import KEY

logger = logging.getLogger(__name__)

_LOCAL = ("localhost", "127.0.0.1", "::1", "0.0.0.0", "::")
_BASES = ("AZURE_AI_API_BASE", "AZURE_AI_PROJECT_ENDPOINT")
_AGENTS = ("azure_ai/agents/", "azure_agents/")
_FINISHES = ("received_finish_reason", "intermittent_finish_reason")  # of LiteLLM's streams
NO_WEB = "(Nothing was found: this emulator does not reach the web.)"


class ModelRefused(ValueError):
    """This model can't answer for the emulator; the message says why."""


@dataclass
class _Call:
    """A tool call whose pieces are arriving."""

    id: str
    name: str = ""
    arguments: str = ""
    sent: int | None = None
    """How many characters of the arguments were passed on; None before the first piece."""


@dataclass
class _Received:
    """What the stream of a round has brought so far."""

    calls: list[_Call] = field(default_factory=list)
    by_index: dict[int, _Call] = field(default_factory=dict)
    reasoning: str = ""
    text: list[str] = field(default_factory=list)
    finish: str = ""
    usage: Any = None
    names: set[str] = field(default_factory=set)
    """Declared functions."""

    @property
    def sent_calls(self) -> bool:
        """Whether pieces of calls were passed on."""
        return any(call.sent is not None for call in self.calls)


class LiteLLMModel:
    """Answers with a model of LiteLLM. `options` are added to every call of it (api_base, api_key,
    mock_response, ...). `inject_search` searches the files before the model is asked, instead of
    declaring a tool: for models that are bad at calling tools."""

    def __init__(
        self,
        model: str,
        options: Mapping[str, Any] | None = None,
        *,
        inject_search: bool = False,
    ) -> None:
        import litellm

        self._litellm = litellm
        self.model = model
        self.options = dict(options or {})
        self._inject = inject_search
        self._rules = RuleModel()

    def refuse_loop(self, host: str, port: int) -> None:
        """Raise ModelRefused if the model is an agent of the emulator at this address."""
        base = self.options.get("api_base") or self.options.get("base_url")
        if base is None and self.model.startswith(_AGENTS):
            base = next((os.environ[name] for name in _BASES if os.environ.get(name)), None)
        if base is None:
            return
        parts = urlsplit(str(base))
        there = parts.port or (443 if parts.scheme == "https" else 80)
        local = (*_LOCAL, host, socket.gethostname())
        if there == port and (parts.hostname or "") in local:
            raise ModelRefused(
                f"the model {self.model!r} at {base} is this emulator itself: it would call itself"
            )

    def reports_usage(self, turn: Turn) -> bool:
        """True unless a script or behaviour answers; see `base.reports_usage`."""
        return not _scripted(turn)

    async def respond(self, turn: Turn) -> AsyncIterator[Action]:
        """The actions of the next round."""
        if _scripted(turn):
            async for action in self._rules.respond(turn):
                yield action
            return
        searches = any(tool.type == "file_search" for tool in turn.tools)
        inject = self._inject and searches and turn.tool_choice.mode != "none"
        if inject and not any(call.type == "file_search" for call in turn.calls):
            yield Usage(0, 0)
            yield SearchFiles(turn.user_text)
            return
        tools = declared_tools(turn, inject=self._inject)
        hits = passages(turn.items)
        markers, received = Markers(hits, links(turn.items)), _Received()
        request = self._request(turn, tools)
        pictures = _unshown(turn)
        streams = turn.parallel_tool_calls and all(
            tool.spec.type == "function" and tool.spec.config.get("type") != "custom"
            for tool in tools
        )
        received.names = {tool.name for tool in tools}
        try:
            async for choice in self._chunks(request, received):
                delta = choice.delta
                _add_call_pieces(received, delta)
                received.reasoning += getattr(delta, "reasoning_content", None) or ""
                if refusal := getattr(delta, "refusal", None):
                    yield Refuse(refusal)
                for piece in _pieces(received) if streams else ():
                    yield piece
                if not delta.content:
                    continue
                if received.sent_calls:  # no protocol has text after the calls of a round
                    logger.warning("text after calls is left out: %r", delta.content)
                    continue
                if received.reasoning:
                    yield Reason("", received.reasoning)
                    received.reasoning = ""
                received.text.append(delta.content)
                for id in pictures:
                    yield Image(file_id=id)
                pictures = []
                for text in markers.feed(delta.content):
                    yield text
        except Exception as error:
            logger.warning("the model %s failed: %s", self.model, error)
            for text in markers.flush():
                yield text
            yield Fail(self._code_of(error), _message_of(error))
            return
        for text in markers.flush():
            yield text
        if received.reasoning:
            yield Reason("", received.reasoning)
        if not received.calls:
            for id in pictures:
                yield Image(file_id=id)
        yield self._usage(request, received)
        if received.finish == "length":
            yield Incomplete("max_completion_tokens")
        elif received.finish == "content_filter":
            yield Incomplete("content_filter")
        else:
            whole = [call for call in received.calls if call.sent is None]
            for action in _calls(turn, tools, whole, in_pieces=received.sent_calls):
                yield action

    # ---- the model

    def _request(self, turn: Turn, tools: list[DeclaredTool]) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self.model,
            "messages": messages_of(turn, tools),
            # LiteLLM mocks tool calls only without streaming.
            "stream": not self.options.get("mock_tool_calls"),
            "drop_params": True,
        }
        optional: dict[str, Any] = {
            # 1 is what every classic agent has; some models refuse even that.
            "temperature": turn.temperature if turn.temperature != 1 else None,
            "top_p": turn.top_p if turn.top_p != 1 else None,
            "max_tokens": turn.max_output_tokens,
            "response_format": response_format(turn),
        }
        if tools:
            optional["tools"] = [tool.definition() for tool in tools]
            optional["tool_choice"] = tool_choice(turn, tools)
            optional["parallel_tool_calls"] = None if turn.parallel_tool_calls else False
        request |= {name: value for name, value in optional.items() if value is not None}
        request |= self.options
        if request["stream"]:
            request.setdefault("stream_options", {"include_usage": True})
        return request

    async def _chunks(self, request: Mapping[str, Any], received: _Received) -> AsyncIterator[Any]:
        """Choices of the stream; an answer in one piece is a stream of one choice."""
        answer: Any = await self._litellm.acompletion(**request)
        if not hasattr(answer, "__aiter__"):
            received.usage = getattr(answer, "usage", None)
            choice = answer.choices[0]
            choice.delta = choice.message
            received.finish = choice.finish_reason or ""
            yield choice
            return
        try:
            async for chunk in answer:
                received.usage = getattr(chunk, "usage", None) or received.usage
                for choice in chunk.choices[:1]:
                    received.finish = choice.finish_reason or received.finish
                    yield choice
            # LiteLLM adds a "stop" to a stream that broke off; its mocks have no finish reason.
            reasons = [getattr(answer, name) for name in _FINISHES if hasattr(answer, name)]
            if reasons and not any(reasons) and "mock_response" not in self.options:
                raise ConnectionError("The model's answer broke off: it has no finish reason.")
        finally:  # a run that is cancelled or expires closes its stream
            if (close := getattr(answer, "aclose", None)) is not None:
                await close()

    def _usage(self, request: Mapping[str, Any], received: _Received) -> Usage:
        """The usage that the model reports, else LiteLLM's estimate."""
        usage = received.usage
        if usage is not None and usage.prompt_tokens is not None:
            details = getattr(usage, "completion_tokens_details", None)
            thinking = getattr(details, "reasoning_tokens", None) or 0
            return Usage(usage.prompt_tokens, usage.completion_tokens or 0, thinking)
        count = self._litellm.token_counter
        text = "".join([*received.text, *(call.name + call.arguments for call in received.calls)])
        return Usage(
            count(model=self.model, messages=request["messages"]),
            count(model=self.model, text=text) if text else 0,
        )

    def _code_of(self, error: Exception) -> str:
        """The code of the run's last_error."""
        errors = self._litellm.exceptions
        about = f"{error} {getattr(error, 'code', '')}"
        filtered = "content_filter" in about or "content_policy" in about
        if filtered and isinstance(error, errors.BadRequestError):
            return "content_filter"
        for kind, code in (
            (errors.RateLimitError, "rate_limit_exceeded"),
            (errors.ContentPolicyViolationError, "content_filter"),
            (errors.BadRequestError, "invalid_prompt"),
        ):
            if isinstance(error, kind):
                return code
        return "server_error"


def _message_of(error: Exception) -> str:
    text = str(getattr(error, "message", "") or error or type(error).__name__)
    return text.split("\nTraceback")[0][:2000]


def _scripted(turn: Turn) -> bool:
    """Whether the agent's metadata has a script or a behaviour."""
    return KEY in turn.metadata or turn.metadata.get("emulator_behaviour", "") in BEHAVIOURS


def _unshown(turn: Turn) -> list[str]:
    """Images that code made since the last message."""
    found: list[str] = []
    for item in turn.items:
        if isinstance(item, MessageItem):
            found.clear()
        else:
            found += item.file_ids
    return found


def _add_call_pieces(received: _Received, delta: Any) -> None:
    """Add the pieces of tool calls. Some servers number all calls 0 and tell them by id."""
    for piece in getattr(delta, "tool_calls", None) or ():
        index = getattr(piece, "index", None)
        call = received.by_index.get(index) if index is not None else None
        function = piece.function
        if call is None or (piece.id and call.id and piece.id != call.id and function.name):
            call = _Call(piece.id or "")
            received.calls.append(call)
            if index is not None:
                received.by_index[index] = call
        call.name += function.name or ""
        call.arguments += function.arguments or ""


def _pieces(received: _Received) -> Iterator[Action]:
    """Pieces of calls that were not passed on; a call is passed on once it has arguments."""
    for index, call in enumerate(received.calls):
        sent = call.sent or 0
        if call.name in received.names and len(call.arguments) > sent:
            call.sent = len(call.arguments)
            yield CallPiece(index, call.name, call.arguments[sent:])


def _calls(
    turn: Turn, tools: list[DeclaredTool], calls: list[_Call], *, in_pieces: bool
) -> Iterator[Action]:
    """The model's calls as actions; hosted ones come first, as the engine answers them at once.

    `in_pieces`: other calls of the round were passed on in pieces, so these are too.
    """
    if not turn.parallel_tool_calls:
        calls = calls[:1]
    known = {tool.name: tool for tool in tools}
    functions: list[Action] = []
    for number, call in enumerate(calls):
        tool = known.get(call.name)
        if tool is None:
            message = f"The model called {call.name!r}, which is none of the agent's tools."
            yield Fail("server_error", message)
            return
        if in_pieces:
            yield CallPiece(-1 - number, call.name, call.arguments or "{}")
        elif tool.spec.type == "function":
            functions.append(CallFunction(call.name, call.arguments or "{}"))
        elif tool.spec.type == "mcp":
            asked = _argument(call, "query")
            output = f"{tool.spec.name}.{tool.mcp_tool} found 1 result for: {asked}"
            functions.append(CallMcp(tool.spec.name, tool.mcp_tool, call.arguments or "{}", output))
        elif tool.spec.type == "file_search":
            yield SearchFiles(_argument(call, "query"))
        elif tool.spec.type == "code_interpreter":
            yield RunCode(_argument(call, "code"))
        else:
            asked = _argument(call, "input")
            fields = grounding_fields(tool.spec, asked)
            if is_grounding(tool.spec.type):
                fields["output"] = NO_WEB
            yield UseTool(tool.spec.type, fields, tool.spec.name or tool.spec.type)
    yield from functions


def _argument(call: _Call, name: str) -> str:
    """One string of a call's arguments; all of them if there is no such argument."""
    try:
        value = json.loads(call.arguments)
    except ValueError:
        return call.arguments
    if isinstance(value, dict) and name in value:
        value = value[name]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
