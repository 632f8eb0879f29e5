"""The turns of a chat: streams an answer and lets somebody answer the agent's calls."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import litellm_azure_agents as package

APPROVAL = "mcp_approval_request"
"""The name of the call by which an MCP tool asks for approval."""
MAX_ROUNDS = 20


@dataclass(slots=True)
class Call:
    """A call of a function, or a request for approval."""

    id: str
    name: str
    arguments: str = ""

    @property
    def is_approval(self) -> bool:
        return self.name == APPROVAL


@dataclass(slots=True)
class Turn:
    """What an answer has brought so far."""

    text: str = ""
    finish_reason: str | None = None
    thread_id: str | None = None
    run_id: str | None = None
    annotations: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    """File id -> what is known of a file or an image that the agent made."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None
    calls: list[Call] = field(default_factory=list)


Answerer = Callable[[Call], str]
"""Gives the result of a call."""


class Chat:
    """A chat with one agent, which goes on where its last turn ended."""

    def __init__(
        self,
        agent: str,
        *,
        functions: Sequence[Callable[..., Any]] = (),
        answer: Answerer,
        thread_id: str | None = None,
        **completion: Any,
    ) -> None:
        self._arguments = {**completion, "model": f"azure_ai/agents/{agent}"}
        self._functions = {function.__name__: function for function in functions}
        self._answer = answer
        self.thread_id = thread_id

    def ask(self, question: str) -> Generator[str | Call | Turn, None, None]:
        """The answer's text as it comes, the calls that the agent makes, and the turn at its end.

        Left early, what still runs at the service is cancelled.
        """
        turn = Turn(thread_id=self.thread_id)
        messages: list[dict[str, Any]] = [{"role": "user", "content": question}]
        # Where a tool round is answered, its ids name the thread.
        where = {} if self.thread_id is None else {"thread_id": self.thread_id}
        for _ in range(MAX_ROUNDS):
            waiting: list[Call] = []
            before = len(turn.text)
            with contextlib.closing(self._round(messages, turn, where)) as pieces:
                for piece in pieces:
                    if isinstance(piece, str):
                        yield piece
                        continue
                    waiting = piece  # if another stream follows, functions have answered these
                    turn.calls += piece
                    yield from piece
            self.thread_id = turn.thread_id or self.thread_id
            if not waiting:
                yield turn
                return
            messages = self._answered(turn, turn.text[before:], waiting)
            where = {}
        self._give_up(turn)
        raise package.TooManyRounds(MAX_ROUNDS, messages)

    def _round(
        self, messages: list[dict[str, Any]], turn: Turn, where: dict[str, Any]
    ) -> Generator[str | list[Call], None, None]:
        """The text of an answer as it comes and, at the end of each round, its calls; with all
        rounds that the functions answer by themselves."""
        stream = package.run_tools(
            messages=messages,
            functions=[*self._functions.values()],
            stream=True,
            stream_options={"include_usage": True},
            **where,
            **self._arguments,
        )
        calls: dict[int, Call] = {}
        with contextlib.closing(stream):
            for chunk in stream:
                _count(turn, getattr(chunk, "usage", None))
                for choice in chunk.choices[:1]:
                    text = _read_delta(turn, calls, choice.delta)
                    if text:
                        yield text
                    if choice.finish_reason:
                        turn.finish_reason = choice.finish_reason
                        ended, calls = calls, {}
                        yield [*ended.values()]

    def _answered(self, turn: Turn, text: str, calls: list[Call]) -> list[dict[str, Any]]:
        """The messages that answer ``calls``. If that fails, their run is cancelled."""
        try:
            results = [self._result(call) for call in calls]
        except BaseException:
            self._give_up(turn)
            raise
        asked = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in calls
        ]
        return [
            {"role": "assistant", "content": text or None, "tool_calls": asked},
            *(
                {"role": "tool", "tool_call_id": call.id, "content": result}
                for call, result in zip(calls, results, strict=True)
            ),
        ]

    def _result(self, call: Call) -> str:
        function = self._functions.get(call.name)
        if function is None:
            return self._answer(call)
        # Beside a call that only a person can answer.
        try:
            result = function(**json.loads(call.arguments or "{}"))
        except Exception as error:
            return f"Error: {type(error).__name__}: {error}"
        return result if isinstance(result, str) else json.dumps(result, default=str)

    def _give_up(self, turn: Turn) -> None:
        """Cancel the run that waits for results; a response that waits holds nothing."""
        if not turn.run_id or not turn.thread_id:
            return
        names = (
            "api_base", "api_key", "api_version", "azure_ad_token", "tenant_id", "client_id",
            "client_secret", "azure_scope", "credential",
        )  # fmt: skip
        where = {name: self._arguments[name] for name in names if name in self._arguments}
        with contextlib.suppress(Exception):
            package.runs.cancel(turn.run_id, thread_id=turn.thread_id, timeout=5.0, **where)


def _read_delta(turn: Turn, calls: dict[int, Call], delta: Any) -> str:
    """Add a delta to the turn and to the calls of its round; returns its text."""
    for piece in delta.tool_calls or ():
        if piece.index not in calls:
            calls[piece.index] = Call(piece.id, piece.function.name)
        calls[piece.index].arguments += piece.function.arguments or ""
    fields = getattr(delta, "provider_specific_fields", None) or {}
    turn.thread_id = fields.get("thread_id") or turn.thread_id
    turn.run_id = fields.get("run_id") or turn.run_id
    for name in ("files", "image_files"):
        for file in fields.get(name) or ():
            turn.files.setdefault(file["file_id"], {}).update(file)
    turn.annotations += [dict(note) for note in getattr(delta, "annotations", None) or ()]
    text = (delta.content or "") + (getattr(delta, "refusal", None) or "")
    turn.text += text
    return text


def _count(turn: Turn, usage: Any) -> None:
    if usage is None:
        return
    turn.prompt_tokens += usage.prompt_tokens or 0
    turn.completion_tokens += usage.completion_tokens or 0
    cost = getattr(usage, "cost", None)
    if cost is not None:
        turn.cost = (turn.cost or 0.0) + cost
