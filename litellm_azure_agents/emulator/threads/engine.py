"""The state machine of classic runs: one background task a run, independent of connections.

queued -> in_progress -> completed | failed | incomplete
             |  ^
             v  | submit
       requires_action -> expired          any of these -> cancelling -> cancelled
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from ..core.errors import bad_request, not_found
from ..core.events import EventLog
from ..core.ids import now
from ..core.settings import KEPT_FINISHED_RUNS, Settings
from ..core.store import Doc, Store
from ..engine.live import LiveRun, Stop
from ..engine.toolbox import Toolbox
from ..files.vector_stores import VectorStores
from ..models.base import Brain, CallItem
from .objects import TERMINAL, run_object
from .rounds import Rounds
from .submissions import pair_answers
from .transcript import history
from .writer import RunWriter

logger = logging.getLogger(__name__)


class Runs:
    """All runs of a project."""

    def __init__(
        self,
        store: Store,
        brain: Brain,
        toolbox: Toolbox,
        vectors: VectorStores,
        settings: Settings,
    ) -> None:
        self.store = store
        self.toolbox = toolbox
        self.rounds = Rounds(store, brain, toolbox, vectors, self._require)
        self.settings = settings
        self.active: dict[str, LiveRun] = {}
        """By thread id."""
        self.recent: OrderedDict[str, LiveRun] = OrderedDict()
        """By run id: live runs, and the last finished ones (their events)."""

    # ---- what routes call

    def create(
        self,
        thread_id: str,
        agent: Doc,
        body: Mapping[str, Any],
        instructions: str,
        *,
        lifetime: float | None = None,
        include_search_content: bool = False,
    ) -> LiveRun:
        """Start a run on a thread that has none active; it is queued and told when this returns."""
        lifetime = self.settings.run_lifetime if lifetime is None else lifetime
        run = run_object(thread_id, agent, body, instructions, lifetime)
        log = EventLog()
        writer = RunWriter(
            self.store,
            log,
            run,
            self.toolbox.save_file,
            include_search_content,
            self.settings.strictness.utf16_indices,
        )
        items = history(self.store.all("message", thread_id), run["truncation_strategy"])
        live = LiveRun(run, agent, log, writer, items)
        self.active[thread_id] = live
        self.recent[run["id"]] = live
        self._forget_old()
        writer.created()
        writer.status("queued")
        return live

    def start(self, live: LiveRun, lifetime: float | None = None) -> None:
        """Let a created run play."""
        loop = asyncio.get_running_loop()
        lifetime = self.settings.run_lifetime if lifetime is None else lifetime
        live.deadline = loop.call_later(lifetime, self._end, live, "expired")
        live.task = loop.create_task(self._play(live))

    def refuse_if_active(self, thread_id: str, to_do: str) -> None:
        """Raise the service's 400 while a run is active; `to_do` is "messages" or "run"."""
        live = self.active.get(thread_id)
        if live is None:
            return
        run_id = live.run["id"]
        if to_do == "messages":
            raise bad_request(f"Can't add messages to {thread_id} while a run {run_id} is active.")
        raise bad_request(f"Thread {thread_id} already has an active run {run_id}.")

    def submit(
        self,
        run: Doc,
        outputs: Sequence[Doc] | None,
        approvals: Sequence[Doc] | None,
    ) -> tuple[LiveRun, int]:
        """Answer the calls a run waits for. Returns the run and the log position before it."""
        live = self.active.get(run["thread_id"])
        if live is None or live.run["id"] != run["id"] or live.submission is None:
            raise bad_request(f'Runs in status "{run["status"]}" do not accept tool outputs.')
        kind = live.run["required_action"]["type"]
        answers = pair_answers(kind, live.pending, outputs, approvals)
        position = len(live.log)
        self._apply(live, answers)
        live.writer.status("queued", required_action=None)
        submission, live.submission = live.submission, None
        submission.set_result(answers)
        return live, position

    def cancel(self, run: Doc) -> Doc:
        """Begin to cancel; the run as it is now."""
        live = self.active.get(run["thread_id"])
        if live is None or live.run["id"] != run["id"]:
            raise bad_request(f"Cannot cancel run with status '{run['status']}'.")
        if live.run["status"] != "cancelling":
            live.submission = None
            live.writer.status("cancelling", required_action=None)
            self._end(live, "cancelled")
        return dict(live.run)

    def expire(self, run_id: str) -> None:
        """Let a run expire now, as if its ten minutes were over."""
        live = self.recent.get(run_id)
        if live is None or self.active.get(live.run["thread_id"]) is not live:
            raise not_found("active run", run_id)
        self._end(live, "expired")

    def recover(self) -> None:
        """At start: runs that a crash interrupted are failed, with a reason."""
        error = {
            "code": "server_error",
            "message": "The emulator was restarted while the run was in progress.",
        }
        with self.store.transaction():
            for run in self.store.all("run"):
                if run["status"] in TERMINAL:
                    continue
                run.update(status="failed", failed_at=now(), last_error=error, expires_at=None)
                run["required_action"] = None
                run["usage"] = run["usage"] or {
                    "prompt_tokens": 0,
                    "completion_tokens": 0,
                    "total_tokens": 0,
                }
                self.store.put("run", run, run["thread_id"])
                for step in self.store.all("step", run["id"]):
                    if step["status"] == "in_progress":
                        step.update(status="failed", failed_at=now(), last_error=error)
                        self.store.put("step", step, run["id"])
                for message in self.store.all("message", run["thread_id"]):
                    if message["run_id"] == run["id"] and message["status"] == "in_progress":
                        message.update(status="incomplete", incomplete_at=now())
                        message["incomplete_details"] = {"reason": "run_failed"}
                        self.store.put("message", message, run["thread_id"])

    async def shutdown(self) -> None:
        """End all tasks and streams without finishing the runs."""
        lives = list(self.active.values())
        for live in lives:
            self._end(live, "shutdown")
        await asyncio.gather(*(live.task for live in lives if live.task), return_exceptions=True)
        for live in self.recent.values():
            live.log.close()

    # ---- a run's life

    def _end(self, live: LiveRun, why: str) -> None:
        live.end = why
        if live.task is not None:
            live.task.cancel()

    async def _play(self, live: LiveRun) -> None:
        writer = live.writer
        try:
            await asyncio.sleep(0)  # a cancellation before the first step finds us awaiting
            writer.status("in_progress")
            while await self.rounds.play(live):
                pass
            writer.close_message()
            writer.status("completed")
        except Stop as stop:
            error = stop.fields.get("last_error")
            writer.stop(stop.status, stop.message_reason, error)
            writer.status(stop.status, **stop.fields)
        except asyncio.CancelledError:
            if live.end == "shutdown":
                raise
            writer.stop(live.end, f"run_{live.end}")
            writer.status(live.end)
        except Exception as error:
            logger.exception("run %s failed", live.run["id"])
            details = {"code": "server_error", "message": str(error) or type(error).__name__}
            writer.stop("failed", "run_failed", details)
            writer.status("failed", last_error=details)
        finally:
            if live.deadline is not None:
                live.deadline.cancel()
            if self.active.get(live.run["thread_id"]) is live:
                del self.active[live.run["thread_id"]]
        writer.done()

    async def _require(
        self, live: LiveRun, calls: list[Doc], action: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Wait in requires_action until the client has answered; the answers by call id."""
        live.pending = calls
        live.submission = submission = asyncio.get_running_loop().create_future()
        live.writer.status("requires_action", required_action=action)
        live.writer.done()
        answers: dict[str, Any] = await submission
        await asyncio.sleep(0)
        live.writer.status("in_progress")
        return answers

    def _apply(self, live: LiveRun, answers: Mapping[str, Any]) -> None:
        """Write what the client submitted into the waiting step and close it."""
        for call in live.pending:
            answer = answers[call["id"]]
            if call["type"] == "function":
                call["function"]["output"] = answer["output"]
                live.items.append(
                    CallItem(
                        "function",
                        call["id"],
                        call["function"]["name"],
                        call["function"]["arguments"],
                        answer["output"],
                    )
                )
            elif answer["approve"]:
                call["output"] = live.writer.mcp_outputs[call["id"]]
        live.writer.close_step()

    def _forget_old(self) -> None:
        """Bound the events kept of finished runs."""
        surplus = len(self.recent) - len(self.active) - KEPT_FINISHED_RUNS
        if surplus <= 0:
            return
        for id, live in list(self.recent.items()):
            if surplus <= 0:
                break
            if self.active.get(live.run["thread_id"]) is not live:
                del self.recent[id]
                surplus -= 1
