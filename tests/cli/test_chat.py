"""`chat` and `chats`."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from litellm_azure_agents.cli.chat_history import History, state_folder
from litellm_azure_agents.emulator import Emulator

from .conftest import Run

Ask = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("agent", ["asst_echo", "echo"])
def test_one_question(run: Run, agent: str) -> None:
    told = run("chat", agent, "-m", "hello **you**")
    assert told.out == "You said: hello **you**\n"
    assert "tokens" in told.err
    (data,) = run("chat", agent, "-m", "hello", "--json").lines
    assert data["text"] == "You said: hello"
    assert data["finish_reason"] == "stop"
    assert data["thread_id"].startswith(("thread_", "resp_"))
    assert data["usage"]["completion_tokens"] > 0
    assert data["cost"] > 0


@pytest.mark.parametrize("agent", ["asst_echo", "echo"])
def test_lines_of_one_chat_share_a_thread(run: Run, agent: str) -> None:
    questions = "My name is Ada.\n\nWhat did I say before?\n"
    first, second = run("chat", agent, "--json", input=questions).lines
    assert "Ada" in second["text"]
    if agent.startswith("asst_"):
        assert first["thread_id"] == second["thread_id"]
    (turns,) = [chat["turns"] for chat in run("chats", "list", "--json").data]
    assert turns == 2


@pytest.mark.parametrize("agent", ["asst_echo", "echo"])
def test_a_chat_goes_on(run: Run, agent: str) -> None:
    (first,) = run("chat", agent, "-m", "My name is Ada.", "--json").lines
    for way in (("--continue",), ("-t", first["thread_id"])):
        (data,) = run("chat", agent, "-m", "What did I say before?", *way, "--json").lines
        assert "Ada" in data["text"]
    assert "no past chat" in run("chat", "asst_weather", "-c", "-m", "x", code=1).err
    run("chat", agent, "-m", "x", "-c", "-t", "thread_1", code=2)


@pytest.mark.parametrize("agent", ["asst_weather", "weather"])
def test_a_call_is_answered_by_hand(run: Run, agent: str) -> None:
    question = "What is the weather in Paris?"
    told = run("chat", agent, "-m", question, input="18 degrees\n")
    assert "18 degrees" in told.out
    assert "get_weather(" in told.err
    (data,) = run("chat", agent, "-m", question, "--json", input="18 degrees\n").lines
    assert [call["name"] for call in data["calls"]] == ["get_weather"]
    assert "18 degrees" in data["text"]


def test_nobody_answers(run: Run, emulator: Emulator) -> None:
    """The run that waits is cancelled: it would hold the thread for ten minutes."""
    error = run("chat", "asst_weather", "-m", "Weather in Paris?", "--json", code=1)
    assert "no more input" in error.err
    thread = run("threads", "list", "--json").data[0]["id"]
    assert run("runs", "list", thread, "--json").data[0]["status"] in ("cancelling", "cancelled")


FUNCTIONS = '''
def get_weather(location: str, unit: str = "celsius") -> str:
    """The weather at a place."""
    return f"21 degrees in {location}"


def _private() -> str:
    return "not a tool"
'''


@pytest.mark.parametrize("agent", ["asst_weather", "weather"])
def test_functions_of_a_module_answer(run: Run, tmp_path: Path, agent: str) -> None:
    path = tmp_path / "tools_of_mine.py"
    path.write_text(FUNCTIONS)
    told = run("chat", agent, "-m", "Weather in Paris?", "--functions", path)
    assert "21 degrees in Paris" in told.out
    assert "get_weather(" in told.err
    sys.modules.pop("tools_of_mine")


def test_a_function_and_a_person_answer_side_by_side(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "tools_of_mine.py"
    path.write_text(FUNCTIONS)
    question = "What are the weather and the time in Paris?"
    arguments = ("chat", "asst_weather", "-m", question, "--functions", path, "--json")
    (data,) = run(*arguments, input="noon\n").lines
    assert {call["name"] for call in data["calls"]} == {"get_weather", "get_time"}
    assert "21 degrees in Paris" in data["text"]
    assert "noon" in data["text"]
    sys.modules.pop("tools_of_mine")


def test_a_person_answers_after_a_function(run: Run, tmp_path: Path) -> None:
    """Two rounds: only the second has a call that the module lacks."""
    path = tmp_path / "first_step.py"
    path.write_text("def step_one(input: str) -> str:\n    return 'one is done'\n")
    arguments = ("chat", "asst_chain", "-m", "go", "--functions", path)
    told = run(*arguments, input="two is done\n")
    assert told.err.count("Result of ") == 1
    assert "two is done" in told.out
    (data,) = run(*arguments, "--json", input="two is done\n").lines
    assert [call["name"] for call in data["calls"]] == ["step_one", "step_two"]
    sys.modules.pop("first_step")


def test_a_module_that_is_none(run: Run, tmp_path: Path) -> None:
    for name, text, says in (
        ("empty_module.py", "x = 1", "no public function"),
        ("broken_module.py", "1 / 0", "ZeroDivisionError"),
    ):
        (tmp_path / name).write_text(text)
        assert says in run("chat", "asst_echo", "-m", "x", "--functions", name, code=1).err
    assert (
        "not a Python file"
        in run("chat", "asst_echo", "-m", "x", "--functions", "absent.py", code=1).err
    )


@pytest.mark.parametrize("agent", ["asst_approval", "approval"])
def test_an_approval_is_asked_for(run: Run, agent: str) -> None:
    question = "Search the docs for agents"
    told = run("chat", agent, "-m", question, input="y\n")
    assert "asks to use docs: " in told.err
    assert "Approve? [y/N]" in told.err
    denied = run("chat", agent, "-m", question, input="n\n")
    assert denied.out != told.out
    unasked = run("chat", agent, "-m", question, "--approve-all")
    assert "Approve?" not in unasked.err
    assert unasked.out == told.out


@pytest.mark.parametrize("agent", ["asst_code", "code"])
def test_images_and_files_are_saved(run: Run, tmp_path: Path, agent: str) -> None:
    question = "Plot 3 1 2 and write a csv file"
    (data,) = run("chat", agent, "-m", question, "--files-to", "made", "--json").lines
    paths = [tmp_path / file["path"] for file in data["files"]]
    assert {path.parent for path in paths} == {tmp_path / "made"}
    content = {path.suffix: path.read_bytes() for path in paths}
    assert content[".csv"]
    assert any(data.startswith(b"\x89PNG") for data in content.values())
    assert "saved made" in run("chat", agent, "-m", question, "--files-to", "made").out


def test_citations_are_numbered(run: Run, tmp_path: Path) -> None:
    told = run("chat", "asst_bing", "-m", "What is new in Paris?").out
    assert "[1]" in told
    assert "https://" in told
    assert "【" not in told
    (data,) = run("chat", "web", "-m", "What is new in Paris?", "--json").lines
    assert data["annotations"][0]["type"] == "url_citation"
    assert "[1]" in run("chat", "web", "-m", "What is new in Paris?").out


def test_an_interrupted_answer_cancels_its_run(run: Run) -> None:
    command = [Path(sys.executable).parent / "litellm-azure-agents", "chat", "asst_slow"]
    with subprocess.Popen(
        [*command, "-m", "one " * 200], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(3)  # it has begun
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr.read() == "Error: interrupted\n"
    thread = run("threads", "list", "--json").data[0]["id"]
    assert run("runs", "list", thread, "--json").data[0]["status"] in ("cancelling", "cancelled")


def test_a_failed_run_fails_the_command(run: Run) -> None:
    error = run("chat", "asst_fail", "-m", "fail with server_error: broken", "--json", code=1).error
    assert "broken" in error["message"]


def test_past_chats(run: Run, tmp_path: Path) -> None:
    assert run("chats", "list", "--json").data == []
    run("chat", "asst_echo", "-m", "something to remember")
    (chat,) = run("chats", "list", "--json").data
    assert (chat["agent"], chat["first"]) == ("asst_echo", "something to remember")
    assert chat["id"] in run("chats", "list").out
    assert "You said: something to remember" in run("chats", "show", chat["id"]).out
    assert len(run("chats", "show", chat["id"], "--json").data["turns"]) == 1
    (file,) = (tmp_path / "state" / "chats").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    run("chats", "delete", chat["id"])
    for command in ("show", "delete"):
        assert "no chat" in run("chats", command, chat["id"], code=1).err
        assert "no chat" in run("chats", command, "../../x", code=1).err
    run("chat", "asst_echo", "-m", "x", "--no-history")
    run("chat", "asst_echo", "-m", "x", "--emulator")
    assert run("chats", "list", "--json").data == []


def test_a_damaged_file_hides_no_other_chat(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.add(history.begin("asst_1", "https://a"), {"question": "q", "thread_id": "thread_1"})
    (tmp_path / "chats" / "broken.jsonl").write_text("{")
    (chat,) = history.all()
    assert chat.thread_id == "thread_1"


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="of other systems")
def test_where_chats_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LITELLM_AZURE_AGENTS_STATE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_folder() == tmp_path / "litellm-azure-agents"


def test_an_answer_that_ends_early_says_so(run: Run) -> None:
    assert "ended early: length" in run("chat", "asst_incomplete", "-m", "hello").err
