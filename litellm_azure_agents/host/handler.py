"""The handlers that LiteLLM calls for completions.

`AzureAgents` serves the provider ``azure_agents/``, `AgentsRoute` the route ``azure_ai/agents/``.
LiteLLM awaits the latter's coroutine, so it can return a stream only after the stream has begun;
what fails before then is raised by the call itself. Both read their arguments by `prepare`.
"""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Coroutine,
    Generator,
    Iterator,
    Mapping,
)
from contextlib import contextmanager
from typing import Any

from litellm.llms.custom_llm import CustomLLM
from litellm.types.utils import ModelResponse, ModelResponseStream

from ..core import errors
from ..core.attempts import attempts
from ..core.deltas import Delta
from ..drivers.aio import Playing
from .arguments import Prepared, prepare
from .chunks import add_ids, response_headers
from .names import BUILTIN, PROVIDER
from .stream import AgentStream

# -- making calls ------------------------------------------------------------------------------


@contextmanager
def _making(prepared: Prepared) -> Iterator[None]:
    """Raise what the caller gets; note a failed attempt, for the next one at the same request."""
    try:
        with errors.translating(prepared.context):
            yield
    except Exception:
        attempts.failed(prepared.turn.call.attempt)
        raise


def complete(prepared: Prepared, into: ModelResponse) -> ModelResponse:
    """The whole answer, sync."""
    with _making(prepared):
        batches: Iterator[list[Delta]] = prepared.connection.sync_driver().play(prepared.turn)
        deltas = [delta for batch in batches for delta in batch]
        return prepared.factory.fold(deltas, prepared.turn.ids, into)


async def acomplete(prepared: Prepared, into: ModelResponse) -> ModelResponse:
    """The whole answer, async."""
    with _making(prepared):
        batches: Playing[Delta] = prepared.connection.async_driver().play(prepared.turn)
        deltas = [delta async for batch in batches for delta in batch]
        return prepared.factory.fold(deltas, prepared.turn.ids, into)


def stream(prepared: Prepared) -> Iterator[ModelResponseStream]:
    """The chunks, sync; returns when the first is there, and raises what comes before it."""
    batches: Generator[list[Delta], None, None]
    batches = prepared.connection.sync_driver().play(prepared.turn)
    with _making(prepared):
        first = next(batches, [])

    def chunks() -> Iterator[ModelResponseStream]:
        try:
            with _making(prepared):
                yield from _chunks(prepared, first)
                for batch in batches:
                    yield from _chunks(prepared, batch)
        finally:
            batches.close()

    return chunks()


async def astream(prepared: Prepared) -> AsyncGenerator[ModelResponseStream, None]:
    """The chunks, async; returns when the first is there, and raises what comes before it."""
    batches: Playing[Delta] = prepared.connection.async_driver().play(prepared.turn)
    with _making(prepared):
        first: list[Delta] = await anext(batches, [])

    async def chunks() -> AsyncGenerator[ModelResponseStream, None]:
        try:
            with _making(prepared):
                for chunk in _chunks(prepared, first):
                    yield chunk
                async for batch in batches:
                    for chunk in _chunks(prepared, batch):
                        yield chunk
        finally:
            await batches.aclose()

    return chunks()


def _chunks(prepared: Prepared, deltas: list[Delta]) -> Iterator[ModelResponseStream]:
    ids = prepared.turn.ids
    for delta in deltas:
        yield prepared.factory.chunk(delta, ids)


class _LazyStream:
    """An async stream that opens when first asked: LiteLLM calls ``astreaming`` without a loop."""

    def __init__(self, open_stream: Callable[[], Any]) -> None:
        self._open = open_stream
        self._chunks: AsyncGenerator[ModelResponseStream, None] | None = None

    def __aiter__(self) -> AsyncIterator[ModelResponseStream]:
        return self

    async def __anext__(self) -> ModelResponseStream:
        if self._chunks is None:
            self._chunks = await self._open()
        return await anext(self._chunks)

    async def aclose(self) -> None:
        """Ends the call: its run is cancelled."""
        if self._chunks is not None:
            await self._chunks.aclose()


class AzureAgents(CustomLLM):
    """The provider ``azure_agents/<agent>``: Azure AI Foundry agents as chat models.

    `register` registers it. The methods are those of LiteLLM's custom providers.
    """

    def completion(self, *args: Any, **kwargs: Any) -> ModelResponse:
        """A whole answer."""
        return complete(
            prepare(provider=PROVIDER, streamed=False, **kwargs), kwargs["model_response"]
        )

    async def acompletion(self, *args: Any, **kwargs: Any) -> ModelResponse:
        """A whole answer, async."""
        return await acomplete(
            prepare(provider=PROVIDER, streamed=False, **kwargs), kwargs["model_response"]
        )

    def streaming(self, *args: Any, **kwargs: Any) -> Any:
        """The chunks of an answer."""
        return stream(prepare(provider=PROVIDER, streamed=True, **kwargs))

    def astreaming(self, *args: Any, **kwargs: Any) -> Any:
        """The chunks of an answer, async. Bad arguments raise here, all else when iterated."""
        prepared = prepare(provider=PROVIDER, streamed=True, **kwargs)
        return _LazyStream(lambda: astream(prepared))


class _Later(Coroutine[Any, Any, Any]):
    """A coroutine that is created when it is awaited.

    When a call is cancelled at once, LiteLLM drops the coroutine without awaiting it; of a real one
    Python would warn.
    """

    def __init__(self, make: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self._make = make
        self._made: Coroutine[Any, Any, Any] | None = None

    def _coroutine(self) -> Coroutine[Any, Any, Any]:
        if self._made is None:
            self._made = self._make()
        return self._made

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine().__await__()

    def send(self, value: Any) -> Any:
        return self._coroutine().send(value)

    def throw(self, *error: Any) -> Any:
        return self._coroutine().throw(*error)

    def close(self) -> None:
        if self._made is not None:
            self._made.close()


class AgentsRoute:
    """Takes the place of LiteLLM's built-in handler of ``azure_ai/agents/<agent>``."""

    @staticmethod
    def completion(*, acompletion: bool, stream: bool | None, **kwargs: Any) -> Any:
        """What LiteLLM's dispatch calls; for async calls a coroutine, which it awaits."""
        if acompletion:
            return _Later(lambda: AgentsRoute._acompletion(stream=bool(stream), **kwargs))
        prepared = prepare(provider=BUILTIN, streamed=bool(stream), **kwargs)
        if stream:
            return _wrap(_stream(prepared), prepared, kwargs)
        return complete(prepared, kwargs["model_response"])

    @staticmethod
    async def _acompletion(*, stream: bool, **kwargs: Any) -> Any:
        prepared = prepare(provider=BUILTIN, streamed=stream, **kwargs)
        if stream:
            return _wrap(await astream(prepared), prepared, kwargs)
        return await acomplete(prepared, kwargs["model_response"])


_stream = stream


def _wrap(chunks: Any, prepared: Prepared, kwargs: Mapping[str, Any]) -> Any:
    """LiteLLM's stream object for ``chunks``.

    Our provider's name makes LiteLLM treat the chunks as a custom provider's. The ids go into the
    wrapper's hidden params, which LiteLLM copies to the last chunk.
    """
    ids = prepared.turn.ids
    wrapper = AgentStream(
        completion_stream=chunks,
        model=kwargs["model"],
        custom_llm_provider=PROVIDER,
        logging_obj=kwargs["logging_obj"],
        _response_headers=response_headers(ids),
    )
    add_ids(wrapper, ids)
    return wrapper
