"""Calls Python functions for an agent and sends it the results, until it answers.

>>> response = run_tools(
...     model="azure_ai/agents/asst_…", messages=[…], functions=[get_weather], api_base="https://…"
... )  # doctest: +SKIP

The loop uses LiteLLM's public completions. An application that already has an agent framework (the
OpenAI Agents SDK, LangChain) should use that framework's loop: it has tracing, guardrails and
hand-offs, and works with any model.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from inspect import isawaitable, iscoroutinefunction
from typing import Any

import litellm
from litellm.types.utils import ChatCompletionMessageToolCall, Function

from ..continuity.call_ids import decode
from ..core.actions import Job, Request, Send, Steps
from ..drivers.connection import Connection, Requests
from ..host.chunks import cost_of, replace_cost
from ..host.connection import connect
from ..host.registration import register
from .functions import Function as PythonFunction
from .functions import build_functions, result_as_text

MAX_ROUNDS = 10
_MAX_THREADS = 16
_CONNECTION = (
    "api_base", "api_key", "api_version", "azure_ad_token", "azure_ad_token_provider",
    "credential", "tenant_id", "client_id", "client_secret", "azure_scope",
)  # fmt: skip


class TooManyRounds(RuntimeError):
    """The agent still called functions after ``max_rounds``; its run has been cancelled.

    ``messages`` is the history so far, the last, unanswered calls included.
    """

    def __init__(self, rounds: int, messages: list[dict[str, Any]]) -> None:
        super().__init__(
            f"the agent still calls functions after {rounds} rounds; raise max_rounds if it should"
        )
        self.rounds = rounds
        self.messages = messages

    def __reduce__(self) -> Any:  # a pickled exception is made again from its parts
        return type(self), (self.rounds, self.messages)


def run_tools(
    *,
    messages: Sequence[Any],
    functions: Sequence[Callable[..., Any]],
    max_rounds: int = MAX_ROUNDS,
    raise_function_errors: bool = False,
    stream: bool = False,
    **completion: Any,
) -> Any:
    """A completion whose function calls are answered by ``functions``.

    Takes what ``litellm.completion`` takes. A function's schema comes from its type hints and
    docstring; arguments are validated and converted (pydantic models too); parallel calls run
    concurrently; async functions are run as well. What a function raises goes to the model as its
    result, or with ``raise_function_errors`` to the caller.

    Returns the last response, whose usage and cost are those of all rounds together, or with
    ``stream`` an iterator over the chunks of all rounds. A step with a call that none of the
    functions answers (the agent's own function, an approval) is returned unanswered.

    Raises what completions raise, ValueError for a function without a schema, and `TooManyRounds`.
    """
    loop = _Loop(messages, functions, max_rounds, raise_function_errors, completion)
    return _stream(loop) if stream else _complete(loop)


async def arun_tools(
    *,
    messages: Sequence[Any],
    functions: Sequence[Callable[..., Any]],
    max_rounds: int = MAX_ROUNDS,
    raise_function_errors: bool = False,
    stream: bool = False,
    **completion: Any,
) -> Any:
    """As `run_tools`; sync functions run in threads, so that none blocks the event loop."""
    loop = _Loop(messages, functions, max_rounds, raise_function_errors, completion)
    return _astream(loop) if stream else await _acomplete(loop)


@dataclass(frozen=True, slots=True)
class _Task:
    id: str
    function: PythonFunction
    arguments: str


class _Loop:
    """The rounds of one conversation, without the completions themselves."""

    def __init__(
        self,
        messages: Sequence[Any],
        functions: Sequence[Callable[..., Any]],
        max_rounds: int,
        raise_errors: bool,
        completion: dict[str, Any],
    ) -> None:
        if max_rounds < 1:
            raise ValueError("max_rounds must be at least 1")
        register()
        self._functions = build_functions(functions)
        self._messages: list[Any] = list(messages)
        self._max_rounds = max_rounds
        self._rounds = 0
        self._raise_errors = raise_errors
        self._completion = completion
        self._waiting: str | None = None
        self._usage: list[Any] = []
        self._cost = 0.0

    @property
    def request(self) -> dict[str, Any]:
        """The arguments of the next completion."""
        tools = [
            *(self._completion.get("tools") or ()),
            *(f.tool for f in self._functions.values()),
        ]
        named = {"tools": tools} if tools else {}
        return {**self._completion, "messages": list(self._messages), **named}

    def take(self, response: Any) -> list[_Task]:
        """The function calls in a response; none if the conversation is complete."""
        self._usage.append(response.usage)
        self._cost += cost_of(response) or 0.0
        message = response.choices[0].message
        return self.take_message(message.content, message.tool_calls or [])

    def take_message(self, content: str | None, calls: Sequence[Any]) -> list[_Task]:
        """As `take`, for a message's content and calls. Raises TooManyRounds."""
        if not calls or any(call.function.name not in self._functions for call in calls):
            return []
        self._waiting = calls[0].id
        self._messages.append(
            {
                "role": "assistant",
                "content": content,
                "tool_calls": [call.model_dump() for call in calls],
            }
        )
        self._rounds += 1
        if self._rounds > self._max_rounds:
            raise TooManyRounds(self._max_rounds, self._messages)
        return [_Task(c.id, self._functions[c.function.name], c.function.arguments) for c in calls]

    def answer(self, tasks: Sequence[_Task], results: Sequence[str]) -> None:
        self._messages += [
            {"role": "tool", "tool_call_id": task.id, "content": result}
            for task, result in zip(tasks, results, strict=True)
        ]
        self._waiting = None

    def finish(self, response: Any) -> Any:
        """The last response, with the usage and cost of all rounds."""
        for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
            setattr(response.usage, name, sum(getattr(u, name) or 0 for u in self._usage))
        replace_cost(response, self._cost)
        return response

    # -- calling functions ---------------------------------------------------------------------

    def call(self, task: _Task) -> str:
        """The result of a call, made in the current thread."""
        try:
            value = task.function.call(**task.function.bind(task.arguments))
            if isawaitable(value):
                value = asyncio.run(_awaited(value))
            return result_as_text(value)
        except Exception as error:
            return self._failed(error)

    async def acall(self, task: _Task) -> str:
        try:
            arguments = task.function.bind(task.arguments)
            if iscoroutinefunction(task.function.call):
                value = await task.function.call(**arguments)
            else:
                value = await asyncio.to_thread(task.function.call, **arguments)
                if isawaitable(value):
                    value = await value
            return result_as_text(value)
        except Exception as error:
            return self._failed(error)

    def _failed(self, error: Exception) -> str:
        if self._raise_errors:
            raise error
        return f"Error: {type(error).__name__}: {error}"

    def run(self, tasks: Sequence[_Task]) -> None:
        if len(tasks) == 1:
            self.answer(tasks, [self.call(tasks[0])])
            return
        with ThreadPoolExecutor(min(len(tasks), _MAX_THREADS)) as pool:
            jobs = [pool.submit(copy_context().run, self.call, task) for task in tasks]
            self.answer(tasks, [job.result() for job in jobs])

    async def arun(self, tasks: Sequence[_Task]) -> None:
        # Raise an error only after all have ended, so that no function runs on unnoticed.
        results = await asyncio.gather(*map(self.acall, tasks), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        self.answer(tasks, [str(result) for result in results])

    # -- cleaning up ---------------------------------------------------------------------------

    def cleanup(self) -> tuple[Connection, Job] | None:
        """How to cancel the run that waits for results; None if none waits."""
        ref = decode(self._waiting)
        if ref is None or not ref.of_run:
            return None  # a response that waits holds nothing
        where: dict[str, Any] = {name: self._completion.get(name) for name in _CONNECTION}
        at = connect(**where, timeout=5.0, max_retries=0)
        thread_id, run_id = ref.owner
        url = at.call.endpoint.url("threads", thread_id, "runs", run_id, "cancel")
        return at, Requests(_send("POST", url))


def _send(method: str, url: str) -> Steps:
    yield Send(Request(method, url))


async def _awaited(value: Any) -> Any:
    return await value


@contextlib.contextmanager
def _cancelling(loop: _Loop) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):
            job = loop.cleanup()
            if job is not None:
                job[0].perform(job[1])
        raise


@contextlib.asynccontextmanager
async def _acancelling(loop: _Loop) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):
            job = loop.cleanup()
            if job is not None:
                await asyncio.shield(job[0].aperform(job[1]))
        raise


def _complete(loop: _Loop) -> Any:
    with _cancelling(loop):
        while True:
            response = litellm.completion(**loop.request)
            tasks = loop.take(response)
            if not tasks:
                return loop.finish(response)
            loop.run(tasks)


async def _acomplete(loop: _Loop) -> Any:
    async with _acancelling(loop):
        while True:
            response = await litellm.acompletion(**loop.request)
            tasks = loop.take(response)
            if not tasks:
                return loop.finish(response)
            await loop.arun(tasks)


def _stream(loop: _Loop) -> Iterator[Any]:
    with _cancelling(loop):
        while True:
            chunks = []
            for chunk in litellm.completion(**loop.request, stream=True):
                chunks.append(chunk)
                yield chunk
            tasks = loop.take_message(*_joined(chunks))
            if not tasks:
                return
            loop.run(tasks)


async def _astream(loop: _Loop) -> AsyncIterator[Any]:
    async with _acancelling(loop):
        while True:
            chunks = []
            async for chunk in await litellm.acompletion(**loop.request, stream=True):
                chunks.append(chunk)
                yield chunk
            tasks = loop.take_message(*_joined(chunks))
            if not tasks:
                return
            await loop.arun(tasks)


def _joined(chunks: Sequence[Any]) -> tuple[str | None, list[ChatCompletionMessageToolCall]]:
    """(content, calls) of a streamed message.

    LiteLLM's own function for this looks for prices, and prints an error for an agent.
    """
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    text = "".join(delta.content or "" for delta in deltas)
    calls: dict[int, ChatCompletionMessageToolCall] = {}
    for piece in (piece for delta in deltas for piece in delta.tool_calls or ()):
        if piece.index not in calls:
            calls[piece.index] = ChatCompletionMessageToolCall(
                id=piece.id, function=Function(name=piece.function.name, arguments="")
            )
        calls[piece.index].function.arguments += piece.function.arguments or ""
    return text or None, [calls[index] for index in sorted(calls)]


__all__ = ["MAX_ROUNDS", "TooManyRounds", "arun_tools", "run_tools"]
