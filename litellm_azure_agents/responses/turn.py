"""One call to a new agent: which requests, in which order, until the answer is complete.

An ordinary turn is one streamed ``POST /responses`` (design rule 2). The generators below also
handle a broken stream, approvals, polling and refused fields, once for all ways of driving.

This is one module because the steps of a turn depend on each other: which request comes next
follows from what became of those before.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from ..content.file_service import FileService
from ..continuity.history import read_history
from ..core import errors
from ..core.actions import Actions, Exchange, Lost, Reply, Request, Steps, Stream
from ..core.attempts import CALL_ID_KEY, MAX_METADATA, NONCE_KEY
from ..core.call import Call
from ..core.deltas import Usage, add_usage
from ..core.exchange import LostAnswer, object_in, send_once
from ..core.json_values import Json, JsonObject, as_object, as_text
from ..core.options import OptionError
from ..core.retry import poll_intervals
from ..core.service_errors import parse_error_object, parse_failure
from ..protocol.chat import Chat
from ..protocol.turn import AgentTurn
from . import history, payloads, refused
from .content import Inputs
from .items import map_usage
from .machine import TERMINAL, ResponseMachine
from .service import ResponseService, is_unknown_state, refusal_of
from .target import Target

_SESSION_HEADER = "x-agent-session-id"
_OUTPUTS, _SEARCH_RESULTS = "code_interpreter_call.outputs", "file_search_call.results"
_READING = "read the response's events"


class Disconnected(Exception):
    """The response ended with its connection; ``error`` is for the caller if that is final."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class ResponseTurn(AgentTurn):
    """A turn of a new agent; a driver performs `run` and, if it ends early, `abandon`."""

    machine: ResponseMachine

    def __init__(self, call: Call, target: Target) -> None:
        super().__init__(call)
        self.target = target
        self.files = None if target.files is None else FileService(self.call, target.files)
        self.service = ResponseService(self.call, target)
        self._polling = call.options.run_mode == "poll"
        self._background = self._polling or call.options.background
        self._stored = call.params.store is not False and not target.is_stateless
        options = call.options
        explicit = options.previous_response_id or options.conversation_id or options.thread_id
        kept = self._stored and not options.ephemeral_thread
        self.chat = Chat(
            self.call,
            explicit=explicit,
            kept=kept,
            holds_instructions=options.system_messages == "additional",
        )
        self._finished = False
        self._opened = False  # a request that makes a response may have been acted on
        self._lost: Lost | None = None  # why the stream ended early
        self._usage: Usage | None = None
        self._input: list[JsonObject] = []  # the items of the last request
        self._ours: set[str] = set()  # fields that the caller didn't ask for: they can be left out
        self._begin()

    def _begin(self) -> None:
        """Start with an empty answer."""
        self.answer = self.new_answer(None if self.files is None else self.files.content_url)
        self.machine = ResponseMachine(
            self.answer,
            # Where the agent may be code that calls functions of its own, see ResponseMachine.
            live=_live(self.call, self.target, payloads.caller_tools(self.call)),
            stored=self._stored,
            run_steps=self.call.options.include_run_steps,
        )

    # -- the turn ------------------------------------------------------------------------------

    def converse(self) -> Steps:
        body = payloads.build_body(self.call, self.target, polling=self._polling)
        self._ours |= refused.defaults(body)
        inputs = Inputs(self.call, self.files)
        plan = yield from self._plan(inputs)
        body.update((yield from self._tools()))
        self._include(body)
        self._mark(body)
        yield from self._respond(body, plan, inputs)
        yield from self._approve(body)
        yield from self._conclude()

    def _plan(self, inputs: Inputs) -> Actions[history.Plan]:
        """What the call continues, by the thread store if there is one."""
        known = read_history(self.call.messages)
        for name in ("previous_response_id", "conversation_id", "thread_id"):
            given = getattr(self.call.options, name)
            if given and not given.startswith("thread_") and not self.target.is_stateless:
                yield from self.service.check_owned(given, name)
        claimed = yield from self.chat.claim(known)
        if not self.chat.is_asked:
            return history.plan(self.call, self.target, inputs)
        remembered = history.Remembered(
            history.state_named(claimed) if claimed else None, self.chat.instructions_changed
        )
        plan = history.plan(self.call, self.target, inputs, remembered=remembered)
        if known.results and plan.state is not None:
            self.chat.differs(plan.state.id)
        return plan

    def owned_url(self) -> str | None:
        state_id = self._ids.get("thread_id")
        return self.service.state_url(state_id) if state_id else None

    def _include(self, body: JsonObject) -> None:
        """Ask for what tools found and printed, and for images that no text refers to.

        A container decides itself what it includes.
        """
        options = self.call.options
        asked = [*(options.include or ())]
        if options.include_run_steps:
            asked += [_OUTPUTS, _SEARCH_RESULTS]
        elif options.include_images == "inline":
            asked.append(_OUTPUTS)
        if asked and not self.target.takes_settings:
            body["include"] = list(dict.fromkeys(asked))
            self._ours |= {"include"} if not options.include else set()

    def _mark(self, body: JsonObject) -> None:
        """Put the nonce into the metadata, so that the response is found if its reply is lost, and
        the id of the call, if there is room."""
        metadata = body.get("metadata") or {}
        if self.service.can_list and self._stored and len(metadata) < MAX_METADATA:
            self._ours |= {"metadata"} if not metadata else set()
            metadata = {**metadata, NONCE_KEY: self.call.attempt.nonce}
            if self.call.call_id and len(metadata) < MAX_METADATA:
                metadata.setdefault(CALL_ID_KEY, self.call.call_id)
            body["metadata"] = metadata

    def _tools(self) -> Actions[JsonObject]:
        """The caller's tools for the body, if the endpoint takes any.

        Otherwise check them, and the caller's response_format, against the agent's definition.
        Raises OptionError for what the agent lacks.
        """
        call = self.call
        tools = payloads.caller_tools(call)
        if self.target.takes_settings:
            return {"tools": tools} if tools else {}
        text = payloads.build_text(call.params.response_format)
        if text in refused.HARMLESS["text"] or call.drop_params:
            text = None
        if call.options.agent_tools == "replace" and tools and not call.drop_params:
            raise OptionError("the tools of a new agent can't be replaced by a call", "agent_tools")
        if not tools and text is None:
            return {}
        definition = yield from self.service.definition()
        if definition is None:
            if text is not None:
                raise OptionError(refused.refusal("text"), "response_format")
            return {}  # a published application shows no definition: the agent's own tools count
        if definition.get("kind") == "hosted":  # its code decides, as at a container
            return {name: value for name, value in (("tools", tools), ("text", text)) if value}
        payloads.check_against(definition, tools, text, call.agent, drop=call.drop_params)
        return {}

    def _respond(self, body: JsonObject, plan: history.Plan, inputs: Inputs | None = None) -> Steps:
        """Make the response, and follow it until it ends."""
        for tries in count():
            self.answer.know(conversation_id=plan.conversation_id)
            try:
                yield from self._follow((yield from self._create(body, plan, inputs)))
                return
            except Disconnected as ended:
                if not self._may_repeat(first_round=inputs is not None, tries=tries):
                    raise ended.error from None
                self._ids.clear()
                self._begin()

    def _may_repeat(self, *, first_round: bool, tries: int) -> bool:
        """Whether a response that ended with its connection can be made again.

        Nothing of it may have been given out, and no tool of the service may have run.
        """
        given_out = self.machine.started and self.call.stream
        limit = max(self.call.max_retries, 8 if self.call.patience else 0)
        return first_round and not given_out and not self.machine.acted and tries < limit

    def _create(
        self, body: JsonObject, plan: history.Plan, inputs: Inputs | None
    ) -> Actions[Reply | JsonObject]:
        """Send what makes the response; its reply, or the response if only the reply was lost."""
        full = {**body, **plan.body}
        if plan.items or not plan.body:
            full["input"] = plan.items
        self._input = plan.items
        reply = yield from self._send(full, inputs)
        if isinstance(reply, Reply) and not reply.ok and plan.found and is_unknown_state(reply):
            # The ids in the history are of another project or too old; the history is the truth.
            self.chat.starts_anew()
            inputs = Inputs(self.call, self.files)
            whole = history.plan(self.call, self.target, inputs, whole=True)
            self._input = whole.items
            reply = yield from self._send({**body, "input": whole.items}, inputs)
        if isinstance(reply, Reply) and not reply.ok:
            raise refusal_of(self.call, self.target, reply)
        self._opened = True
        return reply

    def _send(self, body: JsonObject, inputs: Inputs | None) -> Actions[Reply | JsonObject]:
        """Upload what the messages bring, then send what makes the response."""
        if inputs is None:
            return (yield from self._open(body))
        yield from inputs.upload()
        reply = yield from self._open(body)
        if isinstance(reply, Reply) and not reply.ok and (yield from inputs.repair(reply)):
            reply = yield from self._open(body)
        return reply

    def _open(self, body: JsonObject) -> Actions[Reply | JsonObject]:
        """Send what makes the response; without the fields that the service refuses, if it may."""
        found: JsonObject | None = None

        def arrived() -> Actions[bool]:
            nonlocal found
            found = yield from self.service.find()
            return found is not None

        def attempt() -> Exchange:
            request = Request("POST", self.target.url(), body)
            return self.service.unlocked(Stream(request), doing="create the response")

        self._opened = True
        can_look = NONCE_KEY in as_object(body.get("metadata"))
        if self.call.attempt.inherited and can_look and (yield from arrived()) and found:
            return found
        try:
            while True:
                self.call.attempt.sent = True
                reply: Reply | None
                if can_look:
                    reply = yield from send_once(self.call, attempt, arrived)
                else:
                    reply = yield from attempt()
                if reply is None:
                    return found or {}
                named = [name for name in refused.fields_in(reply) if name in body]
                if not named or not (self.call.drop_params or self._ours.issuperset(named)):
                    break
                body = {name: value for name, value in body.items() if name not in named}
                can_look = NONCE_KEY in as_object(body.get("metadata"))
        except LostAnswer:
            raise
        except Exception as error:  # refused: nothing goes on, unless it was our timeout
            self._opened = isinstance(error, errors.Timeout)
            raise
        self._opened = reply.ok
        return reply

    # -- following a response ------------------------------------------------------------------

    def _follow(self, reply: Reply | JsonObject) -> Steps:
        """Read the response's events; fetch what they don't bring."""
        machine = self.machine
        if not isinstance(reply, Reply):
            self._lost = Lost("the reply was lost", sent=True)
            machine.adopt(reply)
            yield from self._wait(None)
            return
        self.answer.know(agent_session_id=reply.headers.get(_SESSION_HEADER))
        if not reply.streaming:
            response = object_in(self.call, reply, doing="create the response")
            machine.adopt(response)
            yield from self._wait(response)
            return
        self._lost = yield from self.read_stream()
        if not machine.over and self._background:
            yield from self._resume()
        if not machine.over or self.answer.in_doubt:
            yield from self._wait(None)

    def look(self) -> Steps:
        if not self.machine.response_id or not self._stored:
            return
        try:
            response = yield from self.service.peek(self.machine.response_id)
        except errors.APIConnectionError:
            return  # the stream may still bring the end
        if response is not None and response.get("status") in TERMINAL:
            self.machine.reconcile(response)
            yield from self.emit()

    def _resume(self) -> Steps:
        """Resume a background response after the last event that came, while that brings more."""
        machine = self.machine
        attempts = self.call.max_retries
        while machine.response_id and not machine.over and attempts > 0:
            before = machine.sequence
            reply = yield from self.service.replay(machine.response_id, before)
            if not reply.ok or not reply.streaming:
                return
            self._lost = yield from self.read_stream()
            attempts = self.call.max_retries if machine.sequence > before else attempts - 1

    def _wait(self, response: Json | None) -> Steps:
        """Poll the response until it has ended, then give out what is not yet given out.

        Without ``response`` its stream broke. Raises Disconnected if it ended with the stream.
        """
        machine, context = self.machine, self.call.context
        recovering = response is None
        if recovering and not self._stored:
            raise self._unread(", the only ones of a response that is not stored")
        if machine.response_id is None:
            machine.adopt((yield from self._find_unnamed()))
        try:
            ended = yield from self.service.wait_for(
                str(machine.response_id), response, poll_intervals(self.call.options.poll_interval)
            )
        except errors.APIConnectionError as error:
            if self._lost is None:
                raise
            raise errors.connection(context, self._lost, doing=_READING) from error
        if isinstance(ended, Reply):
            if recovering:
                raise Disconnected(self._unread())
            raise errors.from_reply(context, ended, doing="read the response")
        if recovering and not self._background and ended.get("status") == "cancelled":
            raise Disconnected(self._unread())
        if self.machine.over:  # its stream ended, but a damaged event left a gap
            machine.reopen()
        machine.reconcile(ended)
        yield from self.emit()

    def _find_unnamed(self) -> Actions[JsonObject]:
        """The response whose stream broke before it named it."""
        if not self.service.can_list:
            raise self._unread()
        try:
            found = yield from self.service.find()
        except errors.Timeout:
            raise
        except Exception:  # what became of it can't be found out
            raise self._unread() from None
        if found is None:
            raise Disconnected(self._unread())
        return found

    def _unread(self, why: str = "") -> Exception:
        """The error for a response whose end could not be read."""
        lost = self._lost or Lost("the event stream ended before its end", sent=True)
        return errors.connection(self.call.context, lost, doing=_READING + why)

    # -- approvals by policy -------------------------------------------------------------------

    def _approve(self, body: JsonObject) -> Steps:
        """Answer approval requests as the option says, inside the call."""
        policy = self.call.options.approvals
        while policy != "return":
            calls, approvals = self.machine.pending()
            response = self.machine.response
            if response is None or response.get("status") != "completed" or calls or not approvals:
                return
            self._usage = add_usage(self._usage, map_usage(response.get("usage")))
            conversation = self.ids.get("conversation_id")
            items = history.build_approvals(approvals, approve=policy == "approve")
            if conversation:
                state = {"conversation": conversation}
            elif self._stored:
                state = {"previous_response_id": str(self.machine.response_id)}
            else:
                state = {}
                items = [*self._input, *history.repeat_approvals(approvals), *items]
            self.machine.expect_more()
            yield from self._respond(body, history.Plan(state, items, conversation))

    # -- the end -------------------------------------------------------------------------------

    def _conclude(self) -> Steps:
        """Turn the state in which the response ended into the end of the answer, or an error."""
        call, machine = self.call, self.machine
        response = machine.response
        if response is None:
            error = parse_error_object(machine.error or {})
            raise errors.from_failure(call.context, error, what="The response's event stream")
        status, response_id = response.get("status"), response.get("id")
        if status == "failed":
            failure = parse_failure(response.get("error"))
            raise errors.from_failure(call.context, failure, what=f"Response {response_id}")
        if status == "cancelled":
            raise errors.api_error(
                call.context, f"Response {response_id} was cancelled by someone else"
            )
        waits = status == "completed" and any(machine.pending())
        reason = "tool_calls" if waits else self.finish_reason(response)
        machine.finish_calls(ask=call.options.approvals == "return")
        machine.start()
        yield from self._complete()
        if call.options.ephemeral_thread and reason != "tool_calls":
            yield from self.service.forget(self.ids)
        usage = add_usage(self._usage, map_usage(response.get("usage")))
        if usage is None:
            self.answer.fields(usage_unknown=True)  # a hosted agent need not count tokens
        self.answer.finish(reason, usage=usage, model=as_text(response.get("model")))
        self._finished = True
        yield from self.end(reason)

    def _complete(self) -> Steps:
        """Fetch what the answer refers to, now that no text has to wait for it."""
        limit = self.call.options.max_image_bytes
        yield from self._find_pictures()
        for _ in range(2):  # a name may show that a file is an image
            yield from self.emit()
            if self.files is not None:
                yield from self.files.fulfil(self.answer, max_image_bytes=limit)
        for file_id in self.answer.needs.images:
            self.answer.artifacts.image_reference(
                file_id, "not given inline: the endpoint has no files"
            )
        self.machine.pictures.finish()

    def _find_pictures(self) -> Steps:
        """Look into containers for what code drew and neither text nor items show."""
        machine = self.machine
        for container in machine.pictures.silent_containers():
            if self.files is not None:
                yield from self.emit()
                made = yield from self.files.pictures_in(container, machine.created_at)
                for file_id, name in made:
                    self.answer.artifacts.image_file(file_id, container, name)

    def abandon(self) -> Steps:
        """Cancel a response in the background; one in the foreground ends with its connection."""
        response = self.machine.response
        if not self._finished and not (self._opened and "conversation_id" in self._ids):
            # What a response knows never changes: only a conversation has this turn's messages.
            yield from self.chat.release()
        if not self._opened or not self._background or self.call.context.detached:
            return
        if response is not None and response.get("status") in TERMINAL:
            return
        while self.machine.response_id is None:
            found = yield from self.drain()
            if found is None:
                break
            self.machine.adopt(found)
        if self.machine.response_id is None and self.service.can_list:
            try:
                self.machine.adopt((yield from self.service.find()) or {})
            except Exception:  # cleaning up raises nothing
                return
        if self.machine.response_id is not None:
            yield from self.service.cancel(self.machine.response_id)


def _live(call: Call, target: Target, tools: Sequence[Json]) -> set[str] | None:
    """Functions whose calls are given out as they come; None for all, see `ResponseMachine`."""
    if call.options.approvals != "return":
        return set()  # the id of a call may have to carry an approval that comes after it
    if target.style in ("agent", "container"):
        return {str(tool.get("name")) for tool in tools}
    return None
