"""New agents of a project: streams that break, errors, locks."""

from __future__ import annotations

import threading
import time
from typing import Any

import httpx
import litellm
import pytest
from litellm.exceptions import MidStreamFallbackError

from litellm_azure_agents.emulator import Emulator
from tests.support.project_agent import arguments_of, asking, sent
from tests.support.ways import Way


@pytest.fixture
def ask(way: Way, emulator: Emulator) -> Any:
    """Asks an agent of the project in one of the four ways."""
    return asking(way, emulator)


@pytest.mark.parametrize("mode", ["end", "reset"])
@pytest.mark.parametrize("events", [1, 5, 7])
def test_a_broken_stream_is_finished_by_asking(
    ask: Any, emulator: Emulator, events: int, mode: str
) -> None:
    whole = ask("echo", "one two three four five")
    emulator.faults.add(cut_after_events=events, mode=mode, unnoticed=True, method="POST", times=1)
    result = ask("echo", "one two three four five")
    assert (result.text, result.usage) == (whole.text, whole.usage)
    assert sent(emulator, "GET")


def test_a_response_cancelled_by_the_break_is_made_again(emulator: Emulator, way: Way) -> None:
    """Nothing of it was given out to the caller of a whole answer; a stream can't begin again."""
    emulator.faults.add(cut_after_events=5, method="POST", times=1)
    arguments = arguments_of(emulator, "slow", "one two three four five", {})
    if way.streamed:
        with pytest.raises((litellm.APIConnectionError, MidStreamFallbackError)):
            way.ask(**arguments)
    else:
        assert way.ask(**arguments).text == "You said: one two three four five"


def test_a_stream_that_named_nothing_is_looked_for(emulator: Emulator, way: Way) -> None:
    emulator.faults.add(cut_after_bytes=0, mode="reset", method="POST", times=1)
    assert way.ask(**arguments_of(emulator, "echo", "hi", {})).text == "You said: hi"


@pytest.mark.parametrize("events", [2, 5, 7])
def test_a_background_stream_is_resumed(ask: Any, emulator: Emulator, events: int) -> None:
    whole = ask("echo", "one two three four five")
    emulator.faults.add(cut_after_events=events, method="POST", times=1)
    emulator.faults.add(cut_after_events=2, method="GET", times=1)
    result = ask("echo", "one two three four five", background=True)
    assert (result.text, result.usage) == (whole.text, whole.usage)
    first, second = [r.query for r in sent(emulator, "GET")]
    # From the last event that said something: those after it may come again.
    assert first in {f"stream=true&starting_after={n}" for n in (events - 1, events - 2)}
    assert int(second.partition("starting_after=")[2]) >= events - 1


def test_polling(ask: Any, emulator: Emulator) -> None:
    whole = ask("weather", "weather in Paris?")
    result = ask("weather", "weather in Paris?", run_mode="poll", poll_interval=0.02)
    assert [c[1:] for c in result.tool_calls] == [c[1:] for c in whole.tool_calls]
    assert result.finish_reason == "tool_calls"
    assert sent(emulator)[-1].body["background"] is True


def test_an_error_event(emulator: Emulator) -> None:
    emulator.faults.add(error_after_events=2, method="POST", times=1)
    with pytest.raises(litellm.InternalServerError):
        Way("sync stream").ask(**arguments_of(emulator, "echo", "hi", {}))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, litellm.AuthenticationError),
        (403, litellm.PermissionDeniedError),
        (404, litellm.NotFoundError),
        (500, litellm.InternalServerError),
    ],
)
def test_statuses(emulator: Emulator, way: Way, status: int, kind: Any) -> None:
    emulator.faults.add(status=status, method="POST")
    with pytest.raises(kind):
        way.ask(**arguments_of(emulator, "echo", "hi", {}))
    assert len(sent(emulator)) == 1


def test_a_refusal_before_anything_was_done_is_tried_again(ask: Any, emulator: Emulator) -> None:
    emulator.faults.add(status=429, retry_after="0.01", method="POST", times=1)
    assert ask("echo", "hi").text == "You said: hi"
    assert [r.status for r in sent(emulator)] == [429, 200]


def test_a_locked_conversation_is_waited_for(emulator: Emulator, way: Way) -> None:
    conversation = httpx.post(
        f"{emulator.endpoint}/openai/v1/conversations",
        json={},
        headers={"Authorization": f"Bearer {emulator.token}"},
    ).json()["id"]
    first = threading.Thread(
        target=lambda: Way("sync").ask(
            **arguments_of(emulator, "slow", "a b c", {"conversation_id": conversation})
        )
    )
    first.start()
    end = time.monotonic() + 5
    while not sent(emulator)[1:] and time.monotonic() < end:
        time.sleep(0.01)
    result = way.ask(**arguments_of(emulator, "echo", "then", {"thread_id": conversation}))
    first.join()
    assert result.text == "You said: then"
    assert 400 in [r.status for r in sent(emulator)]
    assert sent(emulator)[-1].status == 200
