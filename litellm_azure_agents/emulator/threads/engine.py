"""The state machine of classic runs: one background task a run, independent of connections.

queued -> in_progress -> completed | failed | incomplete
             |  ^
             v  | submit
       requires_action -> expired          any of these -> cancelling -> cancelled
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from ..core.errors import bad_request, not_found
from ..core.events import EventLog
from ..core.ids import now
from ..core.store import Doc
from ..engine.engine import Engine
from ..engine.live import Stop
from ..engine.services import Services
from ..models.base import CallItem
from .live import LiveRun
from .messages import add_messages
from .objects import TERMINAL, run_object, usage_object
from .rounds import RunRounds
from .submissions import pair_answers
from .transcript import history
from .writer import RunWriter


class Runs(Engine[LiveRun]):
    """All runs of a project."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.rounds = RunRounds(services, self._require)
        self.active: dict[str, LiveRun] = {}
        """By thread id."""

    # ---- what routes call

    def create(
        self,
        thread: Doc,
        agent: Doc,
        body: Mapping[str, Any],
        *,
        lifetime: float | None = None,
        include_search_content: bool = False,
    ) -> LiveRun:
        """Create a run on a thread that has none active, with the body's additional messages.

        When this returns, the run is stored as queued and its first events are in the log.
        """
        vectors = self.services.vectors
        lifetime = self.settings.run_lifetime if lifetime is None else lifetime
        with self.store.transaction():
            if body.get("tool_resources"):
                body = {**body, "tool_resources": vectors.settle(body["tool_resources"])}
            messages = body.get("additional_messages") or []
            add_messages(thread, messages, self.store, vectors)
            run = run_object(thread["id"], agent, body, lifetime)
            log = EventLog()
            writer = RunWriter(
                self.store,
                log,
                run,
                self.services.toolbox.save_file,
                include_search_content,
                self.settings.strictness.utf16_indices,
            )
            items = history(self.store.all("message", thread["id"]), run["truncation_strategy"])
            live = LiveRun(run, log, agent["metadata"], items, writer, lifetime)
            writer.created()
            writer.status("queued")
        self.active[thread["id"]] = live
        self._remember(live)
        return live

    def start(self, live: LiveRun) -> None:
        """Start the task of a created run."""
        loop = asyncio.get_running_loop()
        live.deadline = loop.call_later(live.lifetime, self._end, live, "expired")
        self._start(live)

    def active_run(self, run: Doc) -> LiveRun | None:
        """The live run of a stored one, None if it has ended."""
        live = self.active.get(run["thread_id"])
        return live if live is not None and live.run["id"] == run["id"] else None

    def refuse_run_if_active(self, thread_id: str) -> None:
        """Raise the service's 400 for a new run while another is active on the thread."""
        if live := self.active.get(thread_id):
            raise bad_request(f"Thread {thread_id} already has an active run {live.run['id']}.")

    def refuse_messages_if_active(self, thread_id: str) -> None:
        """Raise the service's 400 for new messages while a run is active on the thread."""
        if live := self.active.get(thread_id):
            raise bad_request(
                f"Can't add messages to {thread_id} while a run {live.run['id']} is active."
            )

    def submit(
        self,
        run: Doc,
        outputs: Sequence[Doc] | None,
        approvals: Sequence[Doc] | None,
    ) -> tuple[LiveRun, int]:
        """Answer the calls that a run waits for. Raises the 400 if they don't match.

        Returns the run and the log's length before the answers.
        """
        live = self.active_run(run)
        if live is None or live.submission is None:
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
        """Begin to cancel a run; returns it as it is now. Raises the 400 if it has ended."""
        live = self.active_run(run)
        if live is None:
            raise bad_request(f"Cannot cancel run with status '{run['status']}'.")
        if live.run["status"] != "cancelling":
            live.submission = None
            live.writer.status("cancelling", required_action=None)
            self._end(live, "cancelled")
        return dict(live.run)

    async def cancel_on(self, thread_id: str) -> None:
        """Cancel the active run of a thread, if any, and wait for its end."""
        if live := self.active.get(thread_id):
            self.cancel(live.run)
            await live.finished.wait()

    def expire(self, run_id: str) -> None:
        """Let a run expire now. Raises the 404 if no such run is active."""
        live = self.recent.get(run_id)
        if live is None or live.finished.is_set():
            raise not_found("active run", run_id)
        self._end(live, "expired")

    def recover(self) -> None:
        """At start: fail the runs that a crash interrupted."""
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
                run["usage"] = run["usage"] or usage_object()
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

    def clear(self) -> None:
        """Forget all runs in memory."""
        super().clear()
        self.active.clear()

    # ---- a run's life

    async def _play(self, live: LiveRun) -> None:
        live.writer.status("in_progress")
        while await self.rounds.play(live):
            pass

    def _finish(self, live: LiveRun, end: Stop) -> None:
        writer, status = live.writer, end.status
        if status == "completed":
            writer.close_message()
            writer.status(status)
        elif status == "incomplete":
            filtered = end.reason == "content_filter"
            writer.stop(status, "content_filter" if filtered else "max_tokens")
            writer.status(status, incomplete_details={"reason": end.reason})
        elif status == "failed":
            writer.stop(status, "run_failed", end.error)
            writer.status(status, last_error=end.error)
        else:  # cancelled or expired
            writer.stop(status, f"run_{status}")
            writer.status(status)
        writer.done()

    def _release(self, live: LiveRun) -> None:
        if live.deadline is not None:
            live.deadline.cancel()
        if self.active.get(live.run["thread_id"]) is live:
            del self.active[live.run["thread_id"]]

    async def _require(
        self, live: LiveRun, calls: list[Doc], action: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Wait in requires_action until the client has answered; returns answers by call id."""
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
                function = call["function"]
                function["output"] = answer["output"]
                live.items.append(
                    CallItem(
                        "function",
                        call["id"],
                        function["name"],
                        function["arguments"],
                        answer["output"],
                    )
                )
            elif answer["approve"]:
                call["output"] = live.mcp_outputs[call["id"]]
        live.writer.close_step()
