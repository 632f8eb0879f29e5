"""Rounds of a response with a model of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

from litellm_azure_agents.emulator import Emulator
from litellm_azure_agents.emulator.models.base import (
    Action,
    CallFunction,
    OutputFile,
    RunCode,
    Text,
    Turn,
    Usage,
)

from .client import Raw, check_stream, said
from .support import make


class Counting:
    """A model that reports its own usage, and runs code that makes a file."""

    def reports_usage(self, turn: Turn) -> bool:
        return True

    async def respond(self, turn: Turn) -> AsyncIterator[Action]:
        yield Usage(100, 20, 5)
        if not turn.calls:
            yield RunCode("x", (OutputFile(b"a,b", "made.csv"),))
        elif len(turn.calls) == 1:
            yield CallFunction("f", "{}")
        else:
            yield Text("a b c")


def test_a_model_that_counts_its_own_tokens() -> None:
    with Emulator(model=Counting()) as emulator:
        raw = Raw(emulator)
        function = {"type": "function", "name": "f", "parameters": {}}
        make(raw, "own", tools=[function, {"type": "code_interpreter"}])
        first = raw.ask("own", "go")
        assert [i["type"] for i in first["output"]] == ["code_interpreter_call", "function_call"]
        assert first["usage"]["input_tokens"] == 200
        assert first["usage"]["output_tokens"] == 40
        assert first["usage"]["output_tokens_details"] == {"reasoning_tokens": 10}
        output = {"type": "function_call_output", "output": "x",
                  "call_id": first["output"][1]["call_id"]}  # fmt: skip
        final = raw.ask("own", [output], previous_response_id=first["id"])
        assert said(final) == "a b c"


class Broken:
    """A model that raises."""

    async def respond(self, turn: Turn) -> AsyncIterator[Action]:
        yield Text("so far so ")
        raise RuntimeError("no more ideas")


def test_a_model_that_raises_fails_the_response() -> None:
    with Emulator(model=Broken()) as emulator:
        raw = Raw(emulator)
        conversation = raw.post("/openai/v1/conversations", {})["id"]
        failed = check_stream(raw.stream("echo", "hi", conversation=conversation))
        assert failed["error"] == {"code": "server_error", "message": "no more ideas"}
        # The conversation is free again.
        assert raw.ask("echo", "hi", conversation=conversation)["status"] == "failed"
