"""The requests beside the one that a turn is: reading, waiting, cancelling."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

from ..core import errors
from ..core.actions import Actions, Lookup, Reply, Request, Send, Steps, Wait
from ..core.call import Call
from ..core.errors import Context
from ..core.exchange import ask, find_recent, insist, read, read_all, read_page
from ..core.json_values import Json, JsonObject, as_object, as_text
from ..core.retry import poll_intervals
from ..core.service_errors import parse_error, parse_failure
from .machine import TERMINAL, has_stopped, pending_calls, waits_for_us, why_stuck
from .steps import SEARCH_CONTENT

_HELD = re.compile(r"already has an active run|while a run .{0,80}is active", re.I | re.S)
_RUN_ID = re.compile(r"\brun_[A-Za-z0-9_-]+")


class ThreadService:
    """Generators over the endpoints of protocols A2; each raises LiteLLM's exceptions."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def url(self, *segments: str, query: Sequence[tuple[str, str]] | None = None) -> str:
        return self._call.endpoint.url("threads", *segments, query=query)

    def agent(self) -> Actions[JsonObject]:
        """The agent's definition, read at most once in ``agent_cache_ttl`` seconds."""
        call = self._call
        url = call.endpoint.url("assistants", call.agent)
        action = Lookup(url, Request("GET", url), call.options.agent_cache_ttl)
        return (yield from ask(call, action, doing="read the agent's definition", repeatable=True))

    def find_thread(self, wanted: Callable[[Json], bool]) -> Actions[JsonObject | None]:
        """The thread made for this request that is ``wanted``, or None."""
        return find_recent(
            self._call, lambda query: self.url(query=query), wanted, doing="list the threads"
        )

    def newest_message(self, thread_id: str) -> Actions[JsonObject]:
        """The newest message of a thread, {} if it has none."""
        url = self.url(thread_id, "messages", query=[("limit", "1"), ("order", "desc")])
        page = yield from read_page(self._call, url, doing="read the newest message")
        return page.items[0] if page.items else {}

    def delete_thread(self, thread_id: str) -> Steps:
        """Best effort: the answer is there already and stays good."""
        yield Send(Request("DELETE", self.url(thread_id)))

    def run(self, thread_id: str, run_id: str) -> Actions[JsonObject]:
        url = self.url(thread_id, "runs", run_id)
        return (yield from read(self._call, url, doing="read the run", having=("id", "status")))

    def runs(self, thread_id: str) -> Actions[list[JsonObject]]:
        """One page of the thread's runs, newest first."""
        url = self.url(thread_id, "runs", query=[("limit", "20"), ("order", "desc")])
        page = yield from read_page(self._call, url, doing="list the runs of the thread")
        return page.items

    def messages(self, thread_id: str, run_id: str) -> Actions[list[JsonObject]]:
        """All messages of the run, oldest first."""
        return (
            yield from self._all(
                (thread_id, "messages"), [("run_id", run_id)], doing="list the run's messages"
            )
        )

    def steps(self, thread_id: str, run_id: str) -> Actions[list[JsonObject]]:
        """All steps of the run, oldest first, searches with their passages."""
        query = [("include[]", SEARCH_CONTENT)]
        return (
            yield from self._all(
                (thread_id, "runs", run_id, "steps"), query, doing="list the run's steps"
            )
        )

    def _all(
        self, path: Sequence[str], query: Sequence[tuple[str, str]], *, doing: str
    ) -> Actions[list[JsonObject]]:
        return (
            yield from read_all(
                self._call,
                lambda more: self.url(*path, query=[*query, *more]),
                doing=doing,
                order="asc",
            )
        )

    def wait_for_run(
        self, thread_id: str, run_id: str, next_interval: Callable[[], float]
    ) -> Actions[JsonObject]:
        """The run once it has ended or waits for results."""
        call = self._call
        while True:
            run = yield from self.run(thread_id, run_id)
            if has_stopped(run):
                return run
            if call.remaining() <= 0:
                raise errors.timed_out(call.context, call.timeout)
            yield Wait(min(next_interval(), max(call.remaining(), 0.01)))

    def cancel_run(self, thread_id: str, run_id: str) -> Steps:
        """Ask the service to stop the run; that it has stopped already is fine."""
        action = Send(Request("POST", self.url(thread_id, "runs", run_id, "cancel")))
        yield from insist(action, random=self._call.random)

    # -- a thread that another run holds -------------------------------------------------------

    def free_thread(self, thread_id: str, holder: str) -> Steps:
        """Wait for or cancel the run that holds the thread, as the policies say."""
        call = self._call
        if not holder:
            runs = yield from self.runs(thread_id)
            active = [run for run in runs if as_text(run.get("status")) not in TERMINAL]
            holder = as_text(active[0].get("id")) if active else ""
            if not holder:
                return
        next_interval = poll_intervals(None)
        cancelled = False
        while True:
            run = yield from self.run(thread_id, holder)
            status = run.get("status")
            if status in TERMINAL:
                return
            if status != "cancelling" and not cancelled:
                cancelled = self._must_cancel(run)
                if cancelled:
                    yield from self.cancel_run(thread_id, holder)
                    continue
            if call.remaining() <= 0:
                raise errors.timed_out(call.context, call.timeout)
            yield Wait(min(next_interval(), max(call.remaining(), 0.01)))

    def _must_cancel(self, run: Json) -> bool:
        """What the policies say of the run that holds the thread; raises if they say error."""
        options, context = self._call.options, self._call.context
        if run.get("status") == "requires_action" and waits_for_us(run):
            if options.on_pending_tools == "error":
                stuck = why_stuck(run)
                if stuck is not None:
                    raise stuck_run(context, run, stuck)
                names = [
                    f"{as_object(c.get('function') or c).get('name')} ({c['id']})"
                    for c in pending_calls(run)
                ]
                raise errors.bad_request(
                    context,
                    f"run {run.get('id')} of the thread waits for the results of "
                    f"{', '.join(names)}; give them as tool messages, or set on_pending_tools="
                    "'cancel'",
                    param="messages",
                )
            return True
        if options.on_active_run == "error":
            raise errors.bad_request(
                context,
                f"run {run.get('id')} of the thread is still {run.get('status')}; wait for it, or "
                "let on_active_run be 'wait' or 'cancel'",
                param="thread_id",
            )
        return options.on_active_run == "cancel"

    def refused_outputs(
        self, reply: Reply, thread_id: str, run_id: str, *, doing: str
    ) -> Actions[Exception]:
        """Why the service refused tool results: the state of the run makes the clearer error."""
        context = self._call.context
        error = errors.from_reply(context, reply, doing=doing)
        if reply.status != 400:
            return error
        run = yield Send(Request("GET", self.url(thread_id, "runs", run_id)))
        state = (run.object() if isinstance(run, Reply) and run.ok else None) or {}
        status = as_text(state.get("status"))
        if status == "expired":
            return errors.bad_request(
                context,
                f"run {run_id} expired before its tool results came (runs wait 10 minutes); send "
                "the last user message again on the same thread",
                param="messages",
            )
        if status in TERMINAL:
            return errors.bad_request(
                context,
                f"run {run_id} is {status} and waits for no results any more; send the last user "
                "message again on the same thread",
                param="messages",
            )
        waiting = [call["id"] for call in pending_calls(state)]
        if waiting:
            return errors.bad_request(
                context,
                f"{parse_error(reply).message} The run waits for the results of "
                f"{', '.join(waiting)} ({context.where()})",
                param="messages",
            )
        return error


def holding_run(reply: Reply) -> str | None:
    """The run that holds the thread if that is why a request was refused ("" if it isn't named)."""
    if reply.status not in (400, 409):
        return None
    message = parse_error(reply).message
    if not _HELD.search(message):
        return None
    found = _RUN_ID.search(message)
    return found[0].rstrip(".") if found else ""


def stuck_run(context: Context, run: Json, what: str) -> Exception:
    """The exception for a run that waits for what can't be given through chat completions."""
    return errors.bad_request(
        context,
        f"Run {run.get('id')} is in the state requires_action and waits for {what}, which chat "
        "completions have no form for. Take the tool from the agent, or answer the call with the "
        f"service's own SDK ({context.where()})",
    )


def failed_run(context: Context, run: Json) -> Exception:
    """The exception for a run that ended failed, cancelled or expired."""
    status, run_id = run.get("status"), run.get("id")
    if status == "failed":
        failure = parse_failure(run.get("last_error"))
        return errors.from_failure(context, failure, what=f"Run {run_id}")
    if status == "expired":
        return errors.run_expired(context)
    if status == "cancelled":
        return errors.api_error(context, f"Run {run_id} was cancelled by someone else")
    return errors.internal(
        context, f"Run {run_id} ended in the state {json.dumps(status)}, which we don't know"
    )
