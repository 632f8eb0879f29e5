"""The command line: options that start an emulator, and options that are refused."""

from __future__ import annotations

import pytest

from litellm_azure_agents.emulator.__main__ import parse

from .process import process
from .wire import events_of, said


def test_a_model_and_code_from_the_command_line() -> None:
    options = ("--model", "gpt-4o-mini", "--model-option", "mock_response=From a mock.")
    with process(*options, "--code-interpreter", "subprocess") as (running, client):
        thread = {"messages": [{"role": "user", "content": "hi"}]}
        body = {"assistant_id": "asst_echo", "thread": thread, "stream": True}
        text = client.post("/threads/runs", json=body).text
        assert said(events_of(text)) == "From a mock."
        running.terminate()
        assert running.stdout is not None
        assert "answers    by gpt-4o-mini" in running.stdout.read()
        assert running.stderr is not None
        assert "NO sandbox" in running.stderr.read()


def test_invalid_combinations_of_options_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for line in (["--inject-search"], ["--model", "m", "--model-option", "x"], ["--tls=a", "b"]):
        with pytest.raises(SystemExit):
            parse(line)
    assert "NAME=VALUE" in capsys.readouterr().err
    found = parse(["--model", "m", "--model-option", "a=1", "--model-option", "b=x y"])
    assert found.model_option == [("a", 1), ("b", "x y")]
    assert parse([]).tls is False
    assert parse(["--tls"]).tls is True
    assert parse(["--tls", "d"]).tls == "d"
