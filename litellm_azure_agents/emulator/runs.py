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
from dataclasses import dataclass, field
from typing import Any

from . import tokens
from .brain import (
    Brain,
    CallFunction,
    CallItem,
    CallMcp,
    Fail,
    Image,
    Incomplete,
    Item,
    MessageItem,
    NewMessage,
    NewPart,
    RunCode,
    SearchFiles,
    Text,
    Usage,
    UseTool,
    Wait,
)
from .errors import bad_request, not_found
from .events import EventLog
from .ids import now
from .objects import TERMINAL, run_object
from .settings import KEPT_FINISHED_RUNS, Settings
from .store import Doc, Store
from .submissions import needs_approval, pair_answers
from .toolbox import Toolbox
from .transcript import build_turn, fit, history
from .vectors import searchable_stores
from .writer import RunWriter

logger = logging.getLogger(__name__)


class _Stop(Exception):
    """The run ends now, by the brain's will."""

    def __init__(self, status: str, message_reason: str, **fields: Any) -> None:
        super().__init__(status)
        self.status, self.message_reason, self.fields = status, message_reason, fields


@dataclass
class LiveRun:
    """A run as long as its task lives, and its events for a while after."""

    run: Doc
    agent: Doc
    log: EventLog
    writer: RunWriter
    items: list[Item]
    deadline: asyncio.TimerHandle | None = None
    task: asyncio.Task[None] | None = None
    pending: list[Doc] = field(default_factory=list)
    """Calls the client must answer while the run is in requires_action."""
    submission: asyncio.Future[dict[str, Any]] | None = None
    end: str = "cancelled"
    """What a cancellation of the task means: cancelled, expired, or shutdown."""


class Runs:
    """All runs of a project."""

    def __init__(self, store: Store, brain: Brain, toolbox: Toolbox, settings: Settings) -> None:
        self.store = store
        self.brain = brain
        self.toolbox = toolbox
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
            while await self._round(live):
                pass
            writer.close_message()
            writer.status("completed")
        except _Stop as stop:
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

    async def _round(self, live: LiveRun) -> bool:
        """One round of the brain and the calls it makes; whether another is needed."""
        writer, run = live.writer, live.run
        turn = build_turn(run, live.agent["metadata"], live.items)
        prompt, limit = tokens.of_prompt(turn), run["max_prompt_tokens"]
        if limit is not None and prompt > limit:
            spare = limit - (prompt - sum(map(tokens.of_item, live.items)))
            turn = build_turn(run, live.agent["metadata"], fit(live.items, spare))
            prompt = tokens.of_prompt(turn)
            if prompt > limit:
                raise _Stop(
                    "incomplete", "max_tokens", incomplete_details={"reason": "max_prompt_tokens"}
                )
        before = dict(writer.usage)
        writer.spend(prompt, 0)
        said: list[str] = []
        functions: list[CallFunction] = []
        mcp: list[CallMcp] = []
        hosted = False
        async for action in self.brain.respond(turn):
            await asyncio.sleep(0)  # fairness: other runs and readers get their turn
            if isinstance(action, Text):
                said.append(self._say(live, action))
            elif isinstance(action, NewPart):
                writer.new_part()
                said.append("\n")
            elif isinstance(action, NewMessage):
                writer.close_message()
                said.append("\n")
            elif isinstance(action, Image):
                file = action.file
                writer.image(self.toolbox.save_file(file) if file else action.file_id)
            elif isinstance(action, Wait):
                await asyncio.sleep(action.seconds)
            elif isinstance(action, Fail):
                error = {"code": action.code, "message": action.message}
                raise _Stop("failed", "run_failed", last_error=error)
            elif isinstance(action, Incomplete):
                reason = action.reason
                shown = "content_filter" if reason == "content_filter" else "max_tokens"
                raise _Stop("incomplete", shown, incomplete_details={"reason": reason})
            elif isinstance(action, CallFunction):
                functions.append(action)
            elif isinstance(action, CallMcp):
                mcp.append(action)
            elif isinstance(action, Usage):
                self._correct_usage(live, before, action)
            else:
                hosted = True
                writer.close_message()
                self._remember_text(live, said)
                await self._use_hosted(live, action)
        writer.close_message()
        self._remember_text(live, said)
        if mcp:
            await self._call_mcp(live, mcp)
        if functions:
            for call in functions:
                self._spend_output(live, call.name + call.arguments)
            calls = writer.function_calls([(c.name, c.arguments) for c in functions])
            required = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [
                {**c, "function": {k: c["function"][k] for k in ("name", "arguments")}}
                for c in calls
            ]}}  # fmt: skip
            await self._require(live, calls, required)
        return bool(functions or mcp or hosted)

    def _say(self, live: LiveRun, action: Text) -> str:
        """Write text as far as max_completion_tokens allows; what was written."""
        limit = live.run["max_completion_tokens"]
        text, cost = action.text, tokens.count(action.text)
        left = None if limit is None else limit - live.writer.usage["completion_tokens"]
        if left is not None and cost > left:
            text = tokens.cut(text, max(0, left))
            if text:
                live.writer.text(text)
            live.writer.spend(0, tokens.count(text))
            raise _Stop(
                "incomplete",
                "max_tokens",
                incomplete_details={"reason": "max_completion_tokens"},
            )
        live.writer.spend(0, cost)
        if text:
            live.writer.text(text, action.annotations)
        return text

    def _spend_output(self, live: LiveRun, text: str) -> None:
        """Count output that can't be cut; over the limit the run stops before it is shown."""
        live.writer.spend(0, tokens.count(text))
        limit = live.run["max_completion_tokens"]
        if limit is not None and live.writer.usage["completion_tokens"] > limit:
            raise _Stop(
                "incomplete",
                "max_tokens",
                incomplete_details={"reason": "max_completion_tokens"},
            )

    def _correct_usage(self, live: LiveRun, before: dict[str, int], true: Usage) -> None:
        """Replace this round's counted tokens by those a real model reported."""
        usage = live.writer.usage
        live.writer.spend(
            true.prompt_tokens - (usage["prompt_tokens"] - before["prompt_tokens"]),
            true.completion_tokens - (usage["completion_tokens"] - before["completion_tokens"]),
        )

    def _remember_text(self, live: LiveRun, said: list[str]) -> None:
        if text := "".join(said).strip("\n"):
            live.items.append(MessageItem("assistant", text))
        said.clear()

    # ---- calls

    async def _use_hosted(self, live: LiveRun, action: SearchFiles | RunCode | UseTool) -> None:
        """Run a tool that needs nobody, write its step, remember its result."""
        writer = live.writer
        if isinstance(action, SearchFiles):
            self._spend_output(live, action.query)
            tool: Doc = next((t for t in live.run["tools"] if t["type"] == "file_search"), {})
            options = tool.get("file_search") or {}
            stores = searchable_stores(self.store, live.run)
            hits = self.toolbox.search(action.query, stores, options)
            ranking = options.get("ranking_options") or {
                "ranker": "default_2024_08_21",
                "score_threshold": 0.0,
            }
            id = writer.file_search(hits, ranking)
            live.items.append(
                CallItem("file_search", id, "file_search", action.query, hits=tuple(hits))
            )
        elif isinstance(action, RunCode):
            self._spend_output(live, action.code)
            outputs = action.outputs
            if outputs is None:
                outputs = tuple(await self.toolbox.interpret(action.code, self._code_files(live)))
            id, shown = writer.code(action.code, outputs)
            logs = "".join(o["logs"] for o in shown if o["type"] == "logs")
            images = tuple(o["image"]["file_id"] for o in shown if o["type"] == "image")
            live.items.append(
                CallItem(
                    "code_interpreter", id, "code_interpreter", action.code, logs, file_ids=images
                )
            )
        else:
            id = writer.hosted_tool(action.type, action.fields)
            output = action.fields.get("output", "")
            live.items.append(CallItem(action.type, id, action.name, str(action.fields), output))

    def _code_files(self, live: LiveRun) -> dict[str, bytes]:
        resources = live.run["tool_resources"].get("code_interpreter") or {}
        ids = list(resources.get("file_ids") or [])
        for item in live.items:
            if isinstance(item, MessageItem):
                ids += item.file_ids
        files = {}
        for id in ids:
            doc, data = self.store.get("file", id), self.store.blob(id)
            if doc is not None and data is not None:
                files[doc["filename"]] = data
        return files

    async def _call_mcp(self, live: LiveRun, calls: Sequence[CallMcp]) -> None:
        """MCP calls: those that need no approval first, then all others in one request for it."""
        resources = live.run["tool_resources"].get("mcp") or []
        asked = [c for c in calls if needs_approval(resources, c.server_label, c.name)]
        free = [c for c in calls if c not in asked]
        for group, ask in ((free, False), (asked, True)):
            if not group:
                continue
            for call in group:
                self._spend_output(live, call.name + call.arguments)
            entries = live.writer.mcp_calls(group)
            for entry, call in zip(entries, group, strict=True):
                entry["output"] = None if ask else call.output
            answers: dict[str, Any] = {}
            if ask:
                shown = [{k: v for k, v in e.items() if k != "output"} for e in entries]
                action = {
                    "type": "submit_tool_approval",
                    "submit_tool_approval": {"tool_calls": shown},
                }
                live.writer.mcp_outputs = {
                    e["id"]: c.output for e, c in zip(entries, group, strict=True)
                }
                answers = await self._require(live, entries, action)
            else:
                live.writer.close_step()
            for entry, call in zip(entries, group, strict=True):
                approved = answers[entry["id"]]["approve"] if ask else None
                live.items.append(
                    CallItem(
                        "mcp",
                        entry["id"],
                        call.name,
                        call.arguments,
                        "" if approved is False else call.output,
                        call.server_label,
                        approved,
                    )
                )

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
