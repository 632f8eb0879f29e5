"""A brain that asks a model: any that LiteLLM can call. LiteLLM is imported when one is made.

Agents keep their instructions, tools and history; the name of their own model stands for the
model given here. Agents with a script or a behaviour in their metadata go on playing it.
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
from .messages import Offer, messages_of, offers_of, response_format, tool_choice
from .rules import RuleBrain
from .scripts import KEY

logger = logging.getLogger(__name__)

_LOCAL = ("localhost", "127.0.0.1", "::1", "0.0.0.0", "::")
_BASES = ("AZURE_AI_API_BASE", "AZURE_AI_PROJECT_ENDPOINT")
_AGENTS = ("azure_ai/agents/", "azure_agents/")
_FINISHES = ("received_finish_reason", "intermittent_finish_reason")  # of LiteLLM's streams
NO_WEB = "(Nothing was found: this emulator does not reach the web.)"


class ModelRefused(ValueError):
    """This model can't be behind the emulator; the text says why."""


@dataclass
class _Call:
    """A tool call as its pieces come in."""

    id: str
    name: str = ""
    arguments: str = ""
    told: int | None = None
    """Characters of the arguments passed on already; None before the call was begun."""


@dataclass
class _Heard:
    """What a round's stream has told beside its text."""

    calls: list[_Call] = field(default_factory=list)
    by_index: dict[int, _Call] = field(default_factory=dict)
    thoughts: str = ""
    text: list[str] = field(default_factory=list)
    finish: str = ""
    usage: Any = None
    names: set[str] = field(default_factory=set)
    """Functions that may be called."""

    @property
    def begun(self) -> bool:
        """Whether a call has been passed on already."""
        return any(call.told is not None for call in self.calls)


class ModelBrain:
    """Answers with a model. `options` go into every call to it as they are (api_base, api_key,
    mock_response, ...). `inject_search` searches the files before the model is asked, instead of
    offering it a tool: for models that don't call tools well."""

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
        self._rules = RuleBrain()

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
                f"the model {self.model!r} at {base} is this very emulator: it would ask itself"
            )

    def reports_usage(self, turn: Turn) -> bool:
        """True where the model answers; see `brain.reports_usage`."""
        return not _scripted(turn)

    async def respond(self, turn: Turn) -> AsyncIterator[Action]:
        """The next round."""
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
        offers = offers_of(turn, inject=self._inject)
        hits = passages(turn.items)
        markers, heard = Markers(hits, links(turn.items)), _Heard()
        request = self._request(turn, offers)
        pictures = _unshown(turn)
        streams = turn.parallel_tool_calls and all(
            offer.spec.type == "function" and offer.spec.config.get("type") != "custom"
            for offer in offers
        )
        heard.names = {offer.name for offer in offers}
        try:
            async for choice in self._chunks(request, heard):
                delta = choice.delta
                _hear_calls(heard, delta)
                heard.thoughts += getattr(delta, "reasoning_content", None) or ""
                if refusal := getattr(delta, "refusal", None):
                    yield Refuse(refusal)
                for piece in _pieces(heard) if streams else ():
                    yield piece
                if not delta.content:
                    continue
                if heard.begun:  # no protocol has text behind the calls of a round
                    logger.warning("text behind calls is left out: %r", delta.content)
                    continue
                if heard.thoughts:
                    yield Reason("", heard.thoughts)
                    heard.thoughts = ""
                heard.text.append(delta.content)
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
        if heard.thoughts:
            yield Reason("", heard.thoughts)
        if not heard.calls:
            for id in pictures:
                yield Image(file_id=id)
        yield self._usage(request, heard)
        if heard.finish == "length":
            yield Incomplete("max_completion_tokens")
        elif heard.finish == "content_filter":
            yield Incomplete("content_filter")
        else:
            whole = [call for call in heard.calls if call.told is None]
            for action in _calls(turn, offers, whole, begun=heard.begun):
                yield action

    # ---- the model

    def _request(self, turn: Turn, offers: list[Offer]) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self.model,
            "messages": messages_of(turn, offers),
            # A mock of tool calls is known to LiteLLM's unstreamed way only.
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
        if offers:
            optional["tools"] = [offer.definition() for offer in offers]
            optional["tool_choice"] = tool_choice(turn, offers)
            optional["parallel_tool_calls"] = None if turn.parallel_tool_calls else False
        request |= {name: value for name, value in optional.items() if value is not None}
        request |= self.options
        if request["stream"]:
            request.setdefault("stream_options", {"include_usage": True})
        return request

    async def _chunks(self, request: Mapping[str, Any], heard: _Heard) -> AsyncIterator[Any]:
        """Choices of the stream; an answer in one piece looks like a stream of one."""
        answer: Any = await self._litellm.acompletion(**request)
        if not hasattr(answer, "__aiter__"):
            heard.usage = getattr(answer, "usage", None)
            choice = answer.choices[0]
            choice.delta = choice.message
            heard.finish = choice.finish_reason or ""
            yield choice
            return
        try:
            async for chunk in answer:
                heard.usage = getattr(chunk, "usage", None) or heard.usage
                for choice in chunk.choices[:1]:
                    heard.finish = choice.finish_reason or heard.finish
                    yield choice
            # LiteLLM ends a stream that broke off with a "stop" of its own; its mocks have no end.
            reasons = [getattr(answer, name) for name in _FINISHES if hasattr(answer, name)]
            if reasons and not any(reasons) and "mock_response" not in self.options:
                raise ConnectionError("The model's answer broke off: it came to no end.")
        finally:  # a run that is cancelled or expires lets go of its model
            if (close := getattr(answer, "aclose", None)) is not None:
                await close()

    def _usage(self, request: Mapping[str, Any], heard: _Heard) -> Usage:
        """What the model says it used, else LiteLLM's estimate."""
        usage = heard.usage
        if usage is not None and usage.prompt_tokens is not None:
            details = getattr(usage, "completion_tokens_details", None)
            thinking = getattr(details, "reasoning_tokens", None) or 0
            return Usage(usage.prompt_tokens, usage.completion_tokens or 0, thinking)
        count = self._litellm.token_counter
        said = "".join([*heard.text, *(call.name + call.arguments for call in heard.calls)])
        return Usage(
            count(model=self.model, messages=request["messages"]),
            count(model=self.model, text=said) if said else 0,
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
    """Whether the agent's metadata say what it does."""
    return KEY in turn.metadata or turn.metadata.get("emulator_behaviour", "") in BEHAVIOURS


def _unshown(turn: Turn) -> list[str]:
    """Images that code has made since the agent last spoke."""
    found: list[str] = []
    for item in turn.items:
        if isinstance(item, MessageItem):
            found.clear()
        else:
            found += item.file_ids
    return found


def _hear_calls(heard: _Heard, delta: Any) -> None:
    """Put the pieces of tool calls together. Some servers number all calls 0 and give ids."""
    for piece in getattr(delta, "tool_calls", None) or ():
        index = getattr(piece, "index", None)
        call = heard.by_index.get(index) if index is not None else None
        function = piece.function
        if call is None or (piece.id and call.id and piece.id != call.id and function.name):
            call = _Call(piece.id or "")
            heard.calls.append(call)
            if index is not None:
                heard.by_index[index] = call
        call.name += function.name or ""
        call.arguments += function.arguments or ""


def _pieces(heard: _Heard) -> Iterator[Action]:
    """What has come of calls since the last time; a call is begun with its first argument."""
    for index, call in enumerate(heard.calls):
        told = call.told or 0
        if call.name in heard.names and len(call.arguments) > told:
            call.told = len(call.arguments)
            yield CallPiece(index, call.name, call.arguments[told:])


def _calls(turn: Turn, offers: list[Offer], calls: list[_Call], *, begun: bool) -> Iterator[Action]:
    """The model's calls as actions, hosted ones first: the engine answers them at once.

    With `begun`, others have been passed on in pieces, and these few go the same way.
    """
    if not turn.parallel_tool_calls:
        calls = calls[:1]
    known = {offer.name: offer for offer in offers}
    functions: list[Action] = []
    for number, call in enumerate(calls):
        offer = known.get(call.name)
        if offer is None:
            message = f"The model called {call.name!r}, which is none of the agent's tools."
            yield Fail("server_error", message)
            return
        if begun:
            yield CallPiece(-1 - number, call.name, call.arguments or "{}")
        elif offer.spec.type == "function":
            functions.append(CallFunction(call.name, call.arguments or "{}"))
        elif offer.spec.type == "mcp":
            asked = _argument(call, "query")
            output = f"{offer.spec.name}.{offer.mcp_tool} found 1 result for: {asked}"
            functions.append(
                CallMcp(offer.spec.name, offer.mcp_tool, call.arguments or "{}", output)
            )
        elif offer.spec.type == "file_search":
            yield SearchFiles(_argument(call, "query"))
        elif offer.spec.type == "code_interpreter":
            yield RunCode(_argument(call, "code"))
        else:
            asked = _argument(call, "input")
            fields = grounding_fields(offer.spec, asked)
            if is_grounding(offer.spec.type):
                fields["output"] = NO_WEB
            yield UseTool(offer.spec.type, fields, offer.spec.name or offer.spec.type)
    yield from functions


def _argument(call: _Call, name: str) -> str:
    """One string out of a call's arguments, or all of them as they are."""
    try:
        value = json.loads(call.arguments)
    except ValueError:
        return call.arguments
    if isinstance(value, dict) and name in value:
        value = value[name]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
