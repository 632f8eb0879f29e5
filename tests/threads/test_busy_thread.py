"""A thread with an active run: waited for, cancelled, or an error."""

from __future__ import annotations

from typing import Any

import httpx
import litellm
import pytest
import respx

from tests.support.classic_agent import RUNS, ask, refusal, streamed, waits_for
from tests.support.thread_streams import THREAD, run

BUSY = refusal(400, f"Thread {THREAD} already has an active run run_held.")
NAMELESS = refusal(400, f"Can't add messages to {THREAD} while a run is active.")


@pytest.mark.parametrize("answer", [BUSY, NAMELESS])
@pytest.mark.parametrize(
    ("states", "options", "cancels"),
    [
        (["in_progress", "completed"], {}, 0),
        (["in_progress", "cancelled"], {"on_active_run": "cancel"}, 1),
        (["requires_action", "cancelled"], {}, 1),
        (["cancelling", "cancelled"], {}, 0),
    ],
)
def test_a_thread_that_is_held(
    service: respx.Router, answer: Any, states: list[str], options: Any, cancels: int
) -> None:
    held = {"id": "run_held", "thread_id": THREAD, "required_action": None}
    waits = waits_for("f")
    look = [
        httpx.Response(
            200, json={**held, "status": s, "required_action": waits if "act" in s else None}
        )
        for s in states
    ]
    service.get(f"{RUNS}/run_held").mock(side_effect=look)
    service.get(RUNS).mock(
        return_value=httpx.Response(200, json={"data": [{**held, "status": states[0]}]})
    )
    cancel = service.post(f"{RUNS}/run_held/cancel").mock(
        return_value=httpx.Response(200, json={**held, "status": "cancelling"})
    )
    create = service.post(RUNS).mock(side_effect=[httpx.Response(**answer), streamed()])
    assert ask(thread_id=THREAD, **options).text == "Hello, world."
    assert create.call_count == 2
    assert cancel.call_count == cancels


def test_policies_that_say_error(service: respx.Router) -> None:
    service.post(RUNS).mock(return_value=httpx.Response(**BUSY))
    route = service.get(f"{RUNS}/run_held")
    route.mock(return_value=httpx.Response(200, json={**run("in_progress"), "id": "run_held"}))
    with pytest.raises(litellm.BadRequestError, match=r"run_held.*still in_progress"):
        ask(thread_id=THREAD, on_active_run="error")
    held = {**run("requires_action", required_action=waits_for("buy")), "id": "run_held"}
    route.mock(return_value=httpx.Response(200, json=held))
    with pytest.raises(litellm.BadRequestError, match=r"buy \(call_1\)"):
        ask(thread_id=THREAD, on_pending_tools="error")
