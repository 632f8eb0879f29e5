"""Rounds of a classic run with its own model: calls, usage, errors, prompts that are too long."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

import pytest

from litellm_azure_agents.emulator import Emulator
from litellm_azure_agents.emulator.models.base import (
    Action,
    CallFunction,
    CallItem,
    Logs,
    MessageItem,
    OutputFile,
    RunCode,
    Text,
    Turn,
    Usage,
)

from ..wire import Wire, last_run, names, said


class Recorder:
    """A model that records its turns and plays one list of actions a round."""

    def __init__(self, *rounds: Sequence[Action]) -> None:
        self.rounds = list(rounds)
        self.turns: list[Turn] = []

    async def respond(self, turn: Turn) -> AsyncIterator[Action]:
        self.turns.append(turn)
        for action in self.rounds.pop(0):
            yield action


def test_rounds_calls_and_true_usage() -> None:
    recorder = Recorder(
        [Text("Let me see. "), CallFunction("f", "{}"), Usage(100, 10)],
        [Text("Done."), Usage(200, 20)],
    )
    with Emulator(model=recorder) as emulator:
        wire = Wire(emulator)
        tool = {"type": "function", "function": {"name": "f", "description": "F"}}
        format = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "null"}}}
        run = last_run(
            wire.ask(
                "asst_echo",
                "go",
                tools=[tool],
                temperature=0.5,
                tool_choice="none",
                response_format=format,
            )
        )
        (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        path = f"/threads/{run['thread_id']}/runs/{run['id']}"
        events = wire.stream(
            f"{path}/submit_tool_outputs",
            {"tool_outputs": [{"tool_call_id": call["id"], "output": "result"}]},
        )
        assert said(events) == "Done."
        assert last_run(events)["usage"] == {
            "prompt_tokens": 300,
            "completion_tokens": 30,
            "total_tokens": 330,
        }
        steps = wire.get(f"{path}/steps", order="asc")["data"]
        assert [s["type"] for s in steps] == ["message_creation", "tool_calls", "message_creation"]
        assert sum(s["usage"]["total_tokens"] for s in steps) == 330
        wire.http.close()
    first, second = recorder.turns
    assert first.instructions == "Say back what the user says."
    assert first.temperature == 0.5
    assert first.tool_choice.mode == "none"
    assert first.response_format == {
        "type": "json_schema",
        "name": "n",
        "schema": {"type": "null"},
    }
    assert first.tools[0].name == "f"
    assert second.items[0] == MessageItem("user", "go")
    assert second.items[1] == MessageItem("assistant", "Let me see. ")
    assert second.items[2] == CallItem("function", call["id"], "f", "{}", "result")
    assert second.calls == (second.items[2],)


def test_an_exception_fails_the_run_with_its_text() -> None:
    class Broken:
        async def respond(self, turn: Turn) -> AsyncIterator[Action]:
            yield Text("Half ")
            raise RuntimeError("the model is gone")

    with Emulator(model=Broken()) as emulator:
        wire = Wire(emulator)
        events = wire.ask("asst_echo", "go")
        assert names(events)[-4] == "thread.message.incomplete"
        error = {"code": "server_error", "message": "the model is gone"}
        assert last_run(events)["last_error"] == error
        wire.http.close()


def test_an_interpreter_runs_code_over_the_files_of_the_run() -> None:
    class Interpreter:
        async def run(self, code: str, files: Mapping[str, bytes]) -> list[Logs | OutputFile]:
            return [Logs(f"{code} over {sorted(files)}")]

    recorder = Recorder([RunCode("1+1")], [Text("ok")])
    with Emulator(model=recorder, interpreter=Interpreter()) as emulator:
        wire = Wire(emulator)
        upload = {"file": ("data.csv", b"1,2")}
        file = wire.http.post("/files", data={"purpose": "assistants"}, files=upload).json()["id"]
        message = {
            "role": "user",
            "content": "go",
            "attachments": [{"file_id": file, "tools": [{"type": "code_interpreter"}]}],
        }
        body = {"assistant_id": "asst_code", "thread": {"messages": [message]}}
        assert said(wire.stream("/threads/runs", body)) == "ok"
        wire.http.close()
    assert recorder.turns[1].calls[0].output == "1+1 over ['data.csv']"


@pytest.mark.parametrize(
    ("run", "seen"),
    [
        ({"truncation_strategy": {"type": "last_messages", "last_messages": 2}}, 2),
        ({"max_prompt_tokens": 256}, 3),
        ({}, 5),
    ],
)
def test_old_messages_are_left_out(run: dict[str, object], seen: int) -> None:
    recorder = Recorder([Text("ok")])
    with Emulator(model=recorder) as emulator:
        wire = Wire(emulator)
        messages = [{"role": "user", "content": "word " * 60 + str(n)} for n in range(5)]
        body = {"assistant_id": "asst_echo", "thread": {"messages": messages}, **run}
        assert last_run(wire.stream("/threads/runs", body))["status"] == "completed"
        wire.http.close()
    items = recorder.turns[0].items
    assert len(items) == seen
    assert items[-1].text.endswith("4")  # type: ignore[union-attr]


def test_a_prompt_that_can_not_be_shortened_is_incomplete(wire: Wire) -> None:
    run = last_run(wire.ask("asst_echo", "word " * 300, max_prompt_tokens=256))
    assert run["incomplete_details"] == {"reason": "max_prompt_tokens"}


def test_mcp_tools_are_listed_once_and_free_calls_need_no_approval(wire: Wire) -> None:
    resources = {"mcp": [{"server_label": "docs", "require_approval": "never"}]}
    events = wire.ask("asst_approval", "read the docs page", tool_resources=resources)
    run = last_run(events)
    assert run["status"] == "completed"
    steps = wire.get(f"/threads/{run['thread_id']}/runs/{run['id']}/steps", order="asc")["data"]
    assert [s["type"] for s in steps] == ["activities", "tool_calls", "message_creation"]
    assert list(steps[0]["step_details"]["activities"][0]["tools"]) == ["search_docs", "read_page"]
    (call,) = steps[1]["step_details"]["tool_calls"]
    assert (call["name"], call["server_label"]) == ("read_page", "docs")
    assert call["output"]
    partly = {"never": {"tool_names": ["read_page"]}}
    for text, status in (("read the docs page", "completed"), ("search docs", "requires_action")):
        resources["mcp"][0]["require_approval"] = partly  # type: ignore[assignment]
        events = wire.ask("asst_approval", text, tool_resources=resources)
        assert last_run(events)["status"] == status
