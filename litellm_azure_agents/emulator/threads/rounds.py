"""The rounds of classic runs: how actions are written, and how calls are answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from ..core.store import Doc
from ..engine import tokens
from ..engine.approvals import needs_approval
from ..engine.live import Stop
from ..engine.rounds import Call, Rounds
from ..engine.services import Services
from ..files.objects import is_image
from ..models.base import (
    CallFunction,
    CallItem,
    CallMcp,
    Image,
    Logs,
    OutputFile,
    Refuse,
    Text,
    UseTool,
)
from .live import LiveRun
from .transcript import build_turn, fit
from .writer import RunWriter

Require = Callable[[LiveRun, list[Doc], Mapping[str, Any]], Awaitable[dict[str, Any]]]


class RunRounds(Rounds[LiveRun]):
    """Plays rounds of runs. `require` waits until the client has answered calls (see `engine`)."""

    def __init__(self, services: Services, require: Require) -> None:
        super().__init__(services)
        self._require = require

    async def play(self, live: LiveRun) -> bool:
        """Play one round; returns whether another is needed. Raises Stop where the run ends."""
        run = live.run
        turn = build_turn(run, live.metadata, live.items)
        prompt, limit = tokens.of_prompt(turn), run["max_prompt_tokens"]
        if limit is not None and prompt > limit:
            spare = limit - (prompt - sum(map(tokens.of_item, live.items)))
            turn = build_turn(run, live.metadata, fit(live.items, spare))
            if tokens.of_prompt(turn) > limit:
                raise Stop("incomplete", "max_prompt_tokens")
        return await self.play_round(live, turn, run["max_completion_tokens"])

    def _writer(self, live: LiveRun) -> RunWriter:
        return live.writer

    def _write_refusal(self, live: LiveRun, action: Refuse) -> str:
        return self._write_text(live, Text(action.text))  # this protocol has no refusals

    def _write_image(self, live: LiveRun, action: Image) -> None:
        file = action.file
        live.writer.image(self.toolbox.save_file(file) if file else action.file_id)

    def _count_call(self, live: LiveRun, call: Call) -> None:
        live.budget.spend(call.name + call.arguments)

    # ---- hosted tools

    def _search(self, live: LiveRun, query: str) -> None:
        tool: Doc = next((t for t in live.run["tools"] if t["type"] == "file_search"), {})
        options = tool.get("file_search") or {}
        hits = self.toolbox.search(query, self.vectors.searchable(live.run), options)
        ranking = options.get("ranking_options") or {
            "ranker": "default_2024_08_21",
            "score_threshold": 0.0,
        }
        id = live.writer.file_search(hits, ranking)
        live.items.append(CallItem("file_search", id, "file_search", query, hits=tuple(hits)))

    def _code_file_ids(self, live: LiveRun) -> list[str]:
        resources = live.run["tool_resources"].get("code_interpreter") or {}
        assets = map(self.vectors.asset, resources.get("data_sources") or [])
        return [*(resources.get("file_ids") or []), *filter(None, assets)]

    def _write_code(self, live: LiveRun, code: str, outputs: Sequence[Logs | OutputFile]) -> None:
        made = [o for o in outputs if isinstance(o, OutputFile) and not is_image(o.filename)]
        files = tuple((file.filename, self.toolbox.save_file(file)) for file in made)
        id, shown = live.writer.code(code, [o for o in outputs if o not in made])
        logs = "".join(o["logs"] for o in shown if o["type"] == "logs")
        images = tuple(o["image"]["file_id"] for o in shown if o["type"] == "image")
        kind = "code_interpreter"
        live.items.append(CallItem(kind, id, kind, code, logs, file_ids=images, files=files))

    def _write_tool(self, live: LiveRun, action: UseTool) -> None:
        id = live.writer.hosted_tool(action.type, action.fields)
        output = action.fields.get("output", "")
        live.items.append(CallItem(action.type, id, action.name, str(action.fields), output))

    # ---- calls

    async def _answer_calls(self, live: LiveRun, calls: Sequence[Call], hosted: bool) -> bool:
        """MCP calls first, then all function calls in one request to the client."""
        mcp = [call for call in calls if isinstance(call, CallMcp)]
        if mcp:
            await self._call_mcp(live, mcp)
        pending = live.writer.whole_calls()
        functions = [(c.name, c.arguments) for c in calls if isinstance(c, CallFunction)]
        if functions:
            pending = live.writer.function_calls(functions)
        if pending:
            shown = [
                {**c, "function": {k: c["function"][k] for k in ("name", "arguments")}}
                for c in pending
            ]
            kind = "submit_tool_outputs"
            await self._require(live, pending, {"type": kind, kind: {"tool_calls": shown}})
        return bool(pending or mcp or hosted)

    async def _call_mcp(self, live: LiveRun, calls: Sequence[CallMcp]) -> None:
        """MCP calls without approval first, then all others in one request for approval."""
        for label in dict.fromkeys(call.server_label for call in calls):
            self._list_tools(live, label)
        servers = live.run["tool_resources"].get("mcp") or []
        guarded = [c for c in calls if needs_approval(servers, c.server_label, c.name)]
        free = [c for c in calls if c not in guarded]
        if free:
            entries = live.writer.mcp_calls(free)
            for entry, call in zip(entries, free, strict=True):
                entry["output"] = call.output
            live.writer.close_step()
            self._add_mcp_items(live, entries, free, [None] * len(free))
        if guarded:
            entries = live.writer.mcp_calls(guarded)
            shown = [dict(entry) for entry in entries]
            for entry, call in zip(entries, guarded, strict=True):
                entry["output"] = None
                live.mcp_outputs[entry["id"]] = call.output
            kind = "submit_tool_approval"
            action = {"type": kind, kind: {"tool_calls": shown}}
            answers = await self._require(live, entries, action)
            approved = [answers[entry["id"]]["approve"] for entry in entries]
            self._add_mcp_items(live, entries, guarded, approved)

    def _list_tools(self, live: LiveRun, label: str) -> None:
        """List an MCP server's tools before a run calls it for the first time."""
        if label in live.listed_servers:
            return
        live.listed_servers.add(label)
        for tool in live.run["tools"]:
            if tool["type"] == "mcp" and tool["server_label"] == label:
                live.writer.mcp_tools(label, tool.get("allowed_tools") or ["search"])

    def _add_mcp_items(
        self,
        live: LiveRun,
        entries: Sequence[Doc],
        calls: Sequence[CallMcp],
        approved: Sequence[bool | None],
    ) -> None:
        """Add MCP calls to the conversation; `approved` is None where nobody was asked."""
        for entry, call, approval in zip(entries, calls, approved, strict=True):
            output = "" if approval is False else call.output
            live.items.append(
                CallItem(
                    "mcp", entry["id"], call.name, call.arguments, output, call.server_label,
                    approval,
                )
            )  # fmt: skip
