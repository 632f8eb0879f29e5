"""One call to a classic agent: which requests, in which order, until the answer is complete.

An ordinary turn is one request (design rule 2): a new thread is created with its run, a known one
gets the run with its new messages, tool results are submitted; each is streamed. The generators
below also handle a busy thread, a broken stream, approvals and polling, once for all ways of
driving.

This is one module because the steps of a turn depend on each other: which request comes next
follows from what became of those before.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..content.file_service import FileService
from ..content.uploads import Incoming
from ..continuity.history import Continuation, HistoryError, ToolResult, read_history
from ..core import errors
from ..core.actions import Actions, Exchange, Lost, Reply, Request, Send, Steps, Stream
from ..core.call import Call
from ..core.deltas import Usage
from ..core.exchange import LostAnswer, object_in, request, send_once
from ..core.json_values import Json, JsonObject, as_objects, as_text
from ..core.owner import Reference
from ..core.retry import poll_intervals
from ..core.service_errors import parse_error_object
from ..protocol import ownership
from ..protocol.chat import Chat
from ..protocol.turn import AgentTurn
from . import payloads, service
from .annotations import cite_by_number
from .delivery import Delivery
from .machine import (
    TERMINAL,
    RunMachine,
    has_stopped,
    map_usage,
    pending_calls,
    waits_for_us,
    why_stuck,
)
from .run_body import build_run_body
from .steps import SEARCH_CONTENT, split_steps
from .tool_outputs import approval_answer, build_outputs, match_results

_FRUITLESS = frozenset({"failed", "cancelled", "cancelling", "expired"})
"""States of a run that gives no answer."""


class ThreadTurn(AgentTurn):
    """A turn of a classic agent; a driver performs `run` and, if it ends early, `abandon`."""

    machine: RunMachine

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        call = self.call
        self.files = FileService(call)
        self.answer = self.new_answer(self.files.content_url)
        self.machine = RunMachine(self.answer, trace=call.options.include_run_steps)
        self.service = service.ThreadService(call)
        options = call.options
        self.chat = Chat(call, explicit=options.thread_id, kept=not options.ephemeral_thread)
        self.delivery = Delivery(call, self.service, self.answer)
        self.incoming = Incoming(call, self.files)
        self._polling = options.run_mode == "poll"
        self._opened = False  # a request that starts or continues a run may have been acted on
        self._finished = False
        self._added = False  # a message of this turn may be in the thread
        self._steps_read = False  # all steps so far were read as the service lists them
        self._messages_arrived = False  # an earlier attempt brought them to the thread
        self._submitted: list[str] = []  # calls whose results this turn brought

    # -- the turn ------------------------------------------------------------------------------

    def converse(self) -> Steps:
        call = self.call
        payloads.check_new_options(call)
        history = read_history(call.messages)
        thread_id = yield from self._thread_of(history)
        if thread_id is None:
            yield from self._start_thread()
        else:
            try:
                yield from self._continue_thread(thread_id, history)
            except errors.NotFoundError:
                if call.options.thread_id or self._opened:
                    raise
                # The ids in the history belong to another project, or the thread has been deleted:
                # the history itself is the truth.
                self._forget()
                self.chat.starts_anew()
                yield from self._start_thread()
        yield from self._conclude()

    def _thread_of(self, history: Continuation) -> Actions[str | None]:
        """The thread that the call continues: the caller's, that of the results, or that of the
        history, which the thread store knows better than the ids in old turns."""
        given = self.call.options.thread_id
        found = history.ref.owner[0] if history.ref and history.ref.of_run else None
        if given and _of_runs(history.results) and found != given:
            raise HistoryError(
                f"thread_id is {given}, but the tool results belong to thread {found}; leave "
                "thread_id out or give the one of the calls"
            )
        if given:
            reference = Reference("thread", given, "thread_id")
            yield from ownership.check_owned(self.call, self.service.url(given), reference)
            return given
        claimed = yield from self.chat.claim(history)
        if found and _of_runs(history.results):
            self.chat.differs(found)
            return found
        return claimed if self.chat.is_asked else found

    def owned_url(self) -> str | None:
        thread_id = self.ids.get("thread_id")
        return self.service.url(thread_id) if thread_id else None

    def _forget(self) -> None:
        self._ids.clear()
        self._submitted = []
        uploaded = self.incoming.uploaded
        self.incoming = Incoming(self.call, self.files)
        self.incoming.uploaded = uploaded

    def _start_thread(self) -> Steps:
        """The whole history becomes a new thread."""
        call = self.call
        if call.attempt.inherited:
            yield from self.delivery.find_thread()
            if (yield from self._follow_earlier_attempt()):
                return
        system, turns = payloads.split_messages(call.messages)
        messages = payloads.build_messages(turns, self.incoming)
        body = yield from self._body(system, new_thread=True)
        thread: JsonObject = {"metadata": payloads.with_nonce(call, call.options.thread_metadata)}
        if messages:
            thread["messages"] = messages[: payloads.MAX_MESSAGES]
        rest = messages[payloads.MAX_MESSAGES :]
        if self.ids.get("thread_id"):  # an earlier attempt made it
            yield from self._add_and_run(rest, body)
        elif rest:
            yield from self.delivery.create_thread(thread)
            yield from self._add_and_run(rest, body)
        else:
            body["thread"] = thread
            url = self.service.url("runs")
            yield from self._open(url, body, doing="create the thread and its run")

    def _continue_thread(self, thread_id: str, history: Continuation) -> Steps:
        """Give the results that a run of the thread waits for, or add what is new and run."""
        call = self.call
        results = _of_runs(history.results)
        if history.foreign:
            results = yield from self._match_waiting(thread_id, history.foreign)
        if results:
            yield from self._submit(results)
            return
        self.answer.know(thread_id=thread_id)
        if call.attempt.inherited and (yield from self._follow_earlier_attempt()):
            return
        system, _ = payloads.split_messages(call.messages)
        _, new = payloads.split_messages(call.messages[history.new :])
        messages = payloads.build_messages(new, self.incoming)
        body = yield from self._body(system, new_thread=False)
        yield from self._add_and_run(messages, body)

    def _add_and_run(self, messages: list[JsonObject], body: JsonObject) -> Steps:
        """Create a run on the thread; messages beyond what one run takes are added first."""
        thread_id = self.answer.ids["thread_id"]
        if self._messages_arrived:
            messages = []
        alone = messages[: -payloads.MAX_MESSAGES]
        added = 0
        if alone and self.call.attempt.inherited:
            added = yield from self.delivery.messages_added(thread_id)
        for number, message in enumerate(alone[added:], added):
            self._added = True
            yield from self.delivery.add_message(thread_id, message, number, self._when_free)
        rest = messages[len(alone) :]
        if rest:
            body["additional_messages"] = rest
        query = [("include[]", SEARCH_CONTENT)] if self.call.options.include_run_steps else None
        url = self.service.url(thread_id, "runs", query=query)
        yield from self._open(url, body, doing="create the run")

    def _body(self, system: str | None, *, new_thread: bool) -> Actions[JsonObject]:
        return build_run_body(
            self.call,
            self.service,
            self.incoming,
            system,
            new_thread=new_thread,
            stream=not self._polling,
        )

    # -- opening and following a run -----------------------------------------------------------

    def _open(self, url: str, body: JsonObject, *, doing: str) -> Steps:
        """Send what makes the run, exactly once, and follow it until it ends or waits."""
        self._opened = self.call.attempt.sent = True
        run: Json | None = None

        def found() -> Actions[bool]:
            nonlocal run
            run = yield from self.delivery.find_run()
            return run is not None

        def attempt() -> Exchange:
            # Stream, polled or not: if we are cancelled, its reply can still be drained.
            return self._when_free(Stream(Request("POST", url, body)), doing=doing)

        try:
            reply = yield from send_once(self.call, attempt, found)
        except LostAnswer:
            raise
        except Exception as error:  # refused: there is nothing to cancel, unless it was our timeout
            self._opened = isinstance(error, errors.Timeout)
            raise
        if reply is not None:
            yield from self._follow(reply, doing=doing)
        elif run is not None:
            self._adopt(run)
            yield from self._recover()

    def _when_free(self, action: Send | Stream, *, doing: str) -> Exchange:
        """Perform ``action``; while another run holds the thread, deal with that run first."""
        while True:
            reply: Reply = yield from request(self.call, action, doing=doing)
            if reply.ok:
                return reply
            holder = service.holding_run(reply)
            thread_id = self.answer.ids.get("thread_id")
            if holder is None and (yield from self.incoming.repair(reply)):
                continue
            if holder is None or thread_id is None:
                raise errors.from_reply(self.call.context, reply, doing=doing)
            yield from self.service.free_thread(thread_id, holder)

    def _follow(self, reply: Reply, *, doing: str) -> Steps:
        """Read the run's events; fetch what they don't bring."""
        if not reply.streaming:
            having = ("id", "thread_id")
            self._adopt(object_in(self.call, reply, doing=doing, having=having))
            yield from self._recover()
            return
        lost = yield from self.read_stream()
        if self.machine.over and not self.answer.damaged:
            return
        if self.machine.run_id is None:
            lost = lost or Lost("the event stream ended before it named its run", sent=True)
            self._adopt((yield from self._find_unnamed(lost, doing=doing)))
        if self.machine.error is None:
            self.machine.expect_more()
            yield from self._recover()

    def _find_unnamed(self, lost: Lost, *, doing: str) -> Actions[Json]:
        """The run whose stream broke before it named it."""
        try:
            run = yield from self.delivery.find_run()
        except errors.Timeout:
            raise
        except Exception:  # what became of it can't be found out
            run = None
        if run is None:
            raise errors.connection(self.call.context, lost, doing=doing)
        return run

    def look(self) -> Steps:
        run_id, thread_id = self.machine.run_id, self.ids.get("thread_id")
        if not run_id or not thread_id:
            return
        try:
            run = yield from self.service.run(thread_id, run_id)
        except (errors.APIConnectionError, errors.NotFoundError):
            return  # the stream may still bring the end
        if has_stopped(run):
            yield from self._recover()

    def _adopt(self, run: Json) -> None:
        self.answer.know(thread_id=run.get("thread_id"), run_id=run.get("id"))

    def _where(self) -> tuple[str, str]:
        """The ids of thread and run. Raises InternalServerError if they are not known."""
        thread_id, run_id = self.answer.ids.get("thread_id"), self.answer.ids.get("run_id")
        if not thread_id or not run_id:
            raise errors.internal(self.call.context, "The service didn't name its thread and run")
        return thread_id, run_id

    # -- what became of a lost request -----------------------------------------------------------

    def _follow_earlier_attempt(self) -> Actions[bool]:
        """Follow the run that an earlier attempt at this request started; False if none answers.

        After a run that failed or was cancelled another one is needed, but not the messages: they
        are in the thread.
        """
        run = (yield from self.delivery.find_run()) if "thread_id" in self.ids else None
        if run is None:
            return False
        self._messages_arrived = True
        if as_text(run.get("status")) in _FRUITLESS:
            return False
        self._opened = True
        self._adopt(run)
        yield from self._recover()
        return True

    def _recover(self) -> Steps:
        """Poll the run until it has ended or waits, then read the text not yet given out."""
        thread_id, run_id = self._where()
        run = yield from self.service.wait_for_run(
            thread_id, run_id, poll_intervals(self.call.options.poll_interval)
        )
        messages = yield from self.service.messages(thread_id, run_id)
        steps: Sequence[Json] = []
        if (
            self._submitted
            or self.call.options.include_run_steps
            or _makes_images(run)
            or cite_by_number(messages)
        ):
            steps = yield from self.service.steps(thread_id, run_id)
            self._steps_read = True
            earlier, steps = split_steps(steps, self._submitted)
            messages = [m for m in messages if as_text(m.get("id")) not in earlier]
        self.machine.reconcile(run, messages, steps)
        yield from self.emit()

    # -- tool results --------------------------------------------------------------------------

    def _match_waiting(
        self, thread_id: str, messages: Sequence[Json]
    ) -> Actions[Sequence[ToolResult]]:
        """Match results without our ids to the thread's waiting run; empty if no run waits.

        They are matched by the service's own call ids, or by name for functions of the old kind.
        """
        for run in (yield from self.service.runs(thread_id)):
            if run.get("status") == "requires_action":
                return match_results(thread_id, run, messages)
        return ()

    def _submit(self, results: Sequence[ToolResult]) -> Steps:
        """All results of the step in one streamed request."""
        thread_id, run_id = results[0].ref.owner
        self.answer.know(thread_id=thread_id, run_id=run_id)
        self._submitted = [result.ref.call_id for result in results]
        if self.call.attempt.inherited:
            run = yield from self.service.run(thread_id, run_id)
            if not set(self._submitted) <= {call["id"] for call in pending_calls(run)}:
                yield from self._recover()  # an earlier attempt's results have arrived
                return
        yield from self._send_outputs(build_outputs(results))

    def _send_outputs(self, body: JsonObject) -> Steps:
        thread_id, run_id = self._where()
        url = self.service.url(thread_id, "runs", run_id, "submit_tool_outputs")
        action = Stream(Request("POST", url, {**body, "stream": not self._polling}))
        self.machine.expect_more()
        self._steps_read = False
        self._opened = self.call.attempt.sent = True
        doing = "submit the tool results"

        def arrived() -> Actions[bool]:
            # A run that still waits for the same calls has not seen the results.
            run = yield from self.service.run(thread_id, run_id)
            given = {output["tool_call_id"] for outputs in body.values() for output in outputs}
            return {call["id"] for call in pending_calls(run)} != given

        def attempt() -> Exchange:
            return request(self.call, action, doing=doing)

        try:
            reply = yield from send_once(self.call, attempt, arrived)
        except LostAnswer:
            self._opened = False  # the run still waits: the results can be given again
            raise
        if reply is None:
            yield from self._recover()
            return
        if not reply.ok:
            self._opened = False  # refused: the run stays as it was, a corrected call can succeed
            raise (yield from self.service.refused_outputs(reply, thread_id, run_id, doing=doing))
        yield from self._follow(reply, doing=doing)

    # -- the end -------------------------------------------------------------------------------

    def _conclude(self) -> Steps:
        """Turn the state in which the run stopped into the end of the answer, or an error."""
        call, machine = self.call, self.machine
        while machine.run is not None and machine.run.get("status") == "requires_action":
            stuck = why_stuck(machine.run)
            if stuck is not None:
                raise service.stuck_run(call.context, machine.run, stuck)
            if waits_for_us(machine.run) and not pending_calls(machine.run):
                raise errors.internal(call.context, "The run waits for calls that have no ids")
            if not pending_calls(machine.run):
                # The service answers these calls itself, such as Azure Functions (protocols A4).
                machine.expect_more()
                yield from self._recover()
                continue
            body = approval_answer(machine.run, call.options.approvals)
            if body is None:
                break
            yield from self._send_outputs(body)
        if machine.run is None:
            raise errors.from_failure(
                call.context,
                parse_error_object(machine.error or {}),
                what="The run's event stream",
            )
        run = machine.run
        status = run.get("status")
        model = as_text(run.get("model"))
        if status in ("requires_action", "completed", "incomplete"):
            yield from self._complete(run)
        if status == "requires_action":
            reason = "tool_calls"
            machine.finish_calls(run)
            # The run's usage comes with its end; zero now keeps sums over the calls right.
            self.answer.fields(usage_pending=True)
            self.answer.finish(reason, usage=Usage(0, 0, 0), model=model)
        elif status in ("completed", "incomplete"):
            yield from self._clean_up(run)
            self.machine.start()
            usage = map_usage(run.get("usage"))
            if usage is None:
                self.answer.fields(usage_unknown=True)
            reason = self.finish_reason(run)
            self.answer.finish(reason, usage=usage, model=model)
        else:
            raise service.failed_run(call.context, run)
        self._finished = True
        yield from self.end(reason)

    def _complete(self, run: Json) -> Steps:
        """Fetch what the answer refers to, now that no text has to wait for it."""
        yield from self.emit()
        lacks_address = self.answer.needs.addresses and not self._steps_read
        if self.machine.steps.lacks_content() or lacks_address:
            for step in (yield from self.service.steps(*self._where())):
                self.machine.steps.complete(step)
            yield from self.emit()
        limit = self.call.options.max_image_bytes
        yield from self.files.fulfil(self.answer, max_image_bytes=limit)

    def _clean_up(self, run: Json) -> Steps:
        if self.call.options.ephemeral_thread:
            yield from self.service.delete_thread(self._where()[0])
        yield from self.files.delete(self.incoming.to_remove(run))

    def abandon(self) -> Steps:
        """Cancel the run, so that its thread is free, and delete what was uploaded for it."""
        if self._finished:
            return
        if not (self._opened or self._added):
            yield from self.chat.release()
        if self.call.context.detached:
            return
        yield from self._cancel()
        run = self.machine.run
        ended = run if run is not None and run.get("status") in TERMINAL else None
        yield from self.files.delete(self.incoming.to_remove(ended))

    def _cancel(self) -> Steps:
        run = self.machine.run
        if not self._opened or (run is not None and run.get("status") in TERMINAL):
            return
        while self.machine.run_id is None:
            found = yield from self.drain()
            if found is None:
                break
            self._adopt(found)
        if self.machine.run_id is None:
            try:
                run = yield from self.delivery.find_run()
            except Exception:  # cleaning up raises nothing
                run = None
            if run is None:
                return
            self._adopt(run)
        yield from self.service.cancel_run(*self._where())


def _of_runs(results: Sequence[ToolResult]) -> Sequence[ToolResult]:
    """The results that belong to runs, not to responses of a new agent."""
    return [result for result in results if result.ref.of_run]


def _makes_images(run: Json) -> bool:
    """Whether the run's steps may hold images that its messages don't."""
    return any(tool.get("type") == "code_interpreter" for tool in as_objects(run.get("tools")))
