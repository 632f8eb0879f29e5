"""One round of a classic run: what the brain says is written, what it calls is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..core.store import Doc, Store
from ..engine import tokens
from ..engine.budget import Budget
from ..engine.live import LiveRun, Stop
from ..engine.toolbox import Toolbox, is_image
from ..files.vector_stores import VectorStores
from ..models.base import (
    Brain,
    CallFunction,
    CallItem,
    CallMcp,
    CallPiece,
    Fail,
    Image,
    Incomplete,
    MessageItem,
    NewMessage,
    NewPart,
    OutputFile,
    OutputItem,
    Reason,
    Refuse,
    RunCode,
    SearchFiles,
    Text,
    Usage,
    UseTool,
    Wait,
    reports_usage,
)
from .submissions import needs_approval
from .transcript import build_turn, fit

Require = Callable[[LiveRun, list[Doc], Mapping[str, Any]], Awaitable[dict[str, Any]]]


class Rounds:
    """Plays rounds. `require` waits until the client has answered calls (see `runs`)."""

    def __init__(
        self,
        store: Store,
        brain: Brain,
        toolbox: Toolbox,
        vectors: VectorStores,
        require: Require,
    ) -> None:
        self.store = store
        self.brain = brain
        self.toolbox = toolbox
        self.vectors = vectors
        self._require = require

    async def play(self, live: LiveRun) -> bool:
        """One round of the brain and the calls it makes; whether another is needed."""
        writer, run = live.writer, live.run
        turn = build_turn(run, live.agent["metadata"], live.items)
        prompt, limit = tokens.of_prompt(turn), run["max_prompt_tokens"]
        if limit is not None and prompt > limit:
            spare = limit - (prompt - sum(map(tokens.of_item, live.items)))
            turn = build_turn(run, live.agent["metadata"], fit(live.items, spare))
            prompt = tokens.of_prompt(turn)
            if prompt > limit:
                raise Stop(
                    "incomplete", "max_tokens", incomplete_details={"reason": "max_prompt_tokens"}
                )
        turn = replace(turn, read_file=self.toolbox.read_file)
        budget = Budget(
            writer, run["max_completion_tokens"], _too_long, exact=reports_usage(self.brain, turn)
        )
        if budget.exact:
            turn = replace(turn, max_output_tokens=budget.left())
        live.budget = budget
        budget.read(prompt)
        said: list[str] = []
        functions: list[CallFunction] = []
        mcp: list[CallMcp] = []
        hosted = False
        async for action in self.brain.respond(turn):
            await asyncio.sleep(0)  # fairness: other runs and readers get their turn
            if isinstance(action, Text):
                said.append(self._say(live, action))
            elif isinstance(action, Refuse):
                said.append(self._say(live, Text(action.text)))
            elif isinstance(action, (Reason, OutputItem)):
                continue  # this protocol has neither
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
                raise Stop("failed", "run_failed", last_error=error)
            elif isinstance(action, Incomplete):
                reason = action.reason
                shown = "content_filter" if reason == "content_filter" else "max_tokens"
                raise Stop("incomplete", shown, incomplete_details={"reason": reason})
            elif isinstance(action, CallFunction):
                live.budget.spend(action.name + action.arguments)
                functions.append(action)
            elif isinstance(action, CallPiece):
                writer.close_message()
                self._remember_text(live, said)
                live.budget.spend(action.name + action.arguments)
                writer.call_piece(action.index, action.name, action.arguments)
            elif isinstance(action, CallMcp):
                live.budget.spend(action.name + action.arguments)
                mcp.append(action)
            elif isinstance(action, Usage):
                budget.correct(action)
            else:
                hosted = True
                writer.close_message()
                self._remember_text(live, said)
                await self._use_hosted(live, action)
        writer.close_message()
        self._remember_text(live, said)
        if mcp:
            await self._call_mcp(live, mcp)
        calls = writer.whole_calls()
        if functions:
            calls = writer.function_calls([(c.name, c.arguments) for c in functions])
        if calls:
            required = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [
                {**c, "function": {k: c["function"][k] for k in ("name", "arguments")}}
                for c in calls
            ]}}  # fmt: skip
            await self._require(live, calls, required)
        return bool(calls or mcp or hosted)

    def _say(self, live: LiveRun, action: Text) -> str:
        """Write text as far as max_completion_tokens allows; what was written."""
        text = live.budget.cut(action.text)
        whole = text == action.text
        if text:
            live.writer.text(text, action.annotations if whole else ())
        if not whole:
            raise live.budget.stop()
        return text

    def _remember_text(self, live: LiveRun, said: list[str]) -> None:
        if text := "".join(said).strip("\n"):
            live.items.append(MessageItem("assistant", text))
        said.clear()

    # ---- calls

    async def _use_hosted(self, live: LiveRun, action: SearchFiles | RunCode | UseTool) -> None:
        """Run a tool that needs nobody, write its step, remember its result."""
        writer = live.writer
        if isinstance(action, SearchFiles):
            live.budget.spend(action.query)
            tool: Doc = next((t for t in live.run["tools"] if t["type"] == "file_search"), {})
            options = tool.get("file_search") or {}
            stores = self.vectors.searchable(live.run)
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
            live.budget.spend(action.code)
            outputs = action.outputs
            if outputs is None:
                outputs = tuple(await self.toolbox.interpret(action.code, self._code_files(live)))
            made = [o for o in outputs if isinstance(o, OutputFile) and not is_image(o.filename)]
            files = tuple((file.filename, self.toolbox.save_file(file)) for file in made)
            id, shown = writer.code(action.code, [o for o in outputs if o not in made])
            logs = "".join(o["logs"] for o in shown if o["type"] == "logs")
            images = tuple(o["image"]["file_id"] for o in shown if o["type"] == "image")
            live.items.append(
                CallItem(
                    "code_interpreter",
                    id,
                    "code_interpreter",
                    action.code,
                    logs,
                    file_ids=images,
                    files=files,
                )
            )
        else:
            id = writer.hosted_tool(action.type, action.fields)
            output = action.fields.get("output", "")
            live.items.append(CallItem(action.type, id, action.name, str(action.fields), output))

    def _code_files(self, live: LiveRun) -> dict[str, bytes]:
        resources = live.run["tool_resources"].get("code_interpreter") or {}
        ids = list(resources.get("file_ids") or [])
        ids += filter(None, map(self.vectors.asset, resources.get("data_sources") or []))
        for item in live.items:
            if isinstance(item, MessageItem):
                ids += item.file_ids
        return self.toolbox.files(ids)

    def _list_tools(self, live: LiveRun, label: str) -> None:
        """Before the first call to an MCP server of a run, its tools are listed."""
        if label in live.listed_servers:
            return
        live.listed_servers.add(label)
        for tool in live.run["tools"]:
            if tool["type"] == "mcp" and tool["server_label"] == label:
                live.writer.mcp_tools(label, tool.get("allowed_tools") or ["search"])

    async def _call_mcp(self, live: LiveRun, calls: Sequence[CallMcp]) -> None:
        """MCP calls: those that need no approval first, then all others in one request for it."""
        for label in dict.fromkeys(call.server_label for call in calls):
            self._list_tools(live, label)
        resources = live.run["tool_resources"].get("mcp") or []
        asked = [c for c in calls if needs_approval(resources, c.server_label, c.name)]
        free = [c for c in calls if c not in asked]
        for group, ask in ((free, False), (asked, True)):
            if not group:
                continue
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


def _too_long() -> Stop:
    details = {"reason": "max_completion_tokens"}
    return Stop("incomplete", "max_tokens", incomplete_details=details)
