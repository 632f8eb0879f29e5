"""The rounds of responses: how actions are written, and how calls are answered."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence

from ..core.ids import new_id
from ..core.store import Doc
from ..engine.approvals import needs_approval
from ..engine.live import failed
from ..engine.rounds import Call, Rounds
from ..engine.services import Services
from ..files.containers import Containers
from ..files.objects import is_image
from ..models.base import (
    CallFunction,
    CallItem,
    CallMcp,
    Image,
    Logs,
    MessageItem,
    OutputFile,
    OutputItem,
    Reason,
    Refuse,
    ToolChoice,
    Turn,
    UseTool,
)
from .items import approved_requests, conversation_items
from .live import LiveResponse
from .tools import (
    call_mcp,
    list_mcp_tools,
    response_format,
    tool_choice,
    tool_spec,
    use_tool,
)
from .writer import ResponseWriter

_MAX_ROUNDS = 50  # a model that never stops calling tools is stopped


class ResponseRounds(Rounds[LiveResponse]):
    """Plays all rounds of a response."""

    def __init__(self, services: Services, containers: Containers) -> None:
        super().__init__(services)
        self.containers = containers

    async def play(self, live: LiveResponse) -> None:
        """Play all rounds. Raises Stop where the model ends the response early."""
        before = [*live.history, *live.given]
        live.items += conversation_items(before)
        self._list_mcp_servers(live)
        for request in approved_requests(before):
            call = CallMcp(
                request["server_label"],
                request["name"],
                request["arguments"],
                request.get("_output", "done"),
            )
            self._call_mcp(live, call, approved_by=request["id"])
        for _ in range(_MAX_ROUNDS):
            if not await self.play_round(live, _turn(live), live.response["max_output_tokens"]):
                return
        raise failed("server_error", "Too many rounds of calls.")

    def _list_mcp_servers(self, live: LiveResponse) -> None:
        """List the tools of each MCP server once in a conversation."""
        listed = {i.get("server_label") for i in live.history if i["type"] == "mcp_list_tools"}
        for tool in live.tools:
            if tool["type"] == "mcp" and tool["server_label"] not in listed:
                list_mcp_tools(live.writer, tool)

    def _writer(self, live: LiveResponse) -> ResponseWriter:
        return live.writer

    def _write_refusal(self, live: LiveResponse, action: Refuse) -> str:
        live.budget.note(action.text)
        live.writer.refusal(action.text)
        return action.text

    def _write_image(self, live: LiveResponse, action: Image) -> None:
        if action.file is not None:
            live.writer.image(action.file)
        elif citation := self.containers.citation(action.file_id):
            live.writer.cite_image(citation)

    def _write_item(self, live: LiveResponse, action: Reason | OutputItem) -> None:
        live.writer.close_message()
        if isinstance(action, Reason):
            live.budget.note(f"{action.summary} {action.text}", reasoning=True)
            live.writer.reasoning(action.summary, action.text)
        else:
            live.writer.whole({"id": new_id("item_"), **action.fields})

    # ---- hosted tools

    def _may_use_hosted(self, live: LiveResponse) -> bool:
        if live.tools_used_up:
            return False
        live.hosted_calls += 1
        return True

    def _search(self, live: LiveResponse, query: str) -> None:
        tools = [t for t in live.tools if t["type"] == "file_search"]
        ids = [id for tool in tools for id in tool.get("vector_store_ids") or ()]
        stores = self.vectors.usable(ids)
        hits = self.toolbox.search(query, stores, tools[0] if tools else {})
        writer = live.writer
        item = writer.add(
            {"id": new_id("fs_"), "type": "file_search_call", "status": "in_progress",
             "queries": [query], "results": None}
        )  # fmt: skip
        writer.progress(item, "file_search_call", "in_progress", "searching", "completed")
        results = [
            {"file_id": hit.file_id, "filename": hit.filename, "score": hit.score,
             "text": hit.text, "attributes": {}}
            for hit in hits
        ]  # fmt: skip
        writer.done(item, status="completed", _results=results)
        live.items += conversation_items([item])

    def _code_file_ids(self, live: LiveResponse) -> list[str]:
        ids: list[str] = []
        for tool in live.tools:
            container = tool.get("container")
            if tool["type"] == "code_interpreter" and isinstance(container, Mapping):
                ids += container.get("file_ids") or ()
        return ids

    def _write_code(
        self, live: LiveResponse, code: str, outputs: Sequence[Logs | OutputFile]
    ) -> None:
        writer = live.writer
        item = writer.add(
            {"id": new_id("ci_"), "type": "code_interpreter_call", "status": "in_progress",
             "container_id": live.container, "code": code, "outputs": None},
            code="",
        )  # fmt: skip
        writer.progress(item, "code_interpreter_call", "in_progress")
        writer.deltas(item, "code_interpreter_call_code", "code", code)
        writer.progress(item, "code_interpreter_call", "interpreting", "completed")
        shown: list[Doc] = []
        images: list[str] = []
        files: list[tuple[str, str]] = []
        for output in outputs:
            if isinstance(output, Logs):
                shown.append({"type": "logs", "logs": output.text})
                continue
            id = writer.keep(output)["file_id"]
            if not is_image(output.filename):
                files.append((output.filename, id))
                continue
            images.append(id)
            data = base64.b64encode(output.data).decode()
            shown.append({"type": "image", "url": f"data:image/png;base64,{data}"})
        writer.done(item, status="completed", _outputs=shown, _images=images, _files=files)
        live.items += conversation_items([item])

    def _write_tool(self, live: LiveResponse, action: UseTool) -> None:
        user = (i for i in reversed(live.items) if isinstance(i, MessageItem) and i.role == "user")
        last = next(user, None)
        output = use_tool(live.writer, action, live.tools, last.text if last else "")
        live.items.append(
            CallItem(action.type, new_id("call_"), action.name, str(action.fields), output)
        )

    # ---- calls

    async def _answer_calls(self, live: LiveResponse, calls: Sequence[Call], hosted: bool) -> bool:
        """Carry out MCP calls that need no approval; all other calls end the response."""
        writer = live.writer
        waiting = writer.whole_calls()
        free = False
        mcp = [call for call in calls if isinstance(call, CallMcp)]
        servers = [tool for tool in live.tools if tool["type"] == "mcp"]
        guarded = [c for c in mcp if needs_approval(servers, c.server_label, c.name)]
        for call in mcp:
            if call in guarded:
                continue
            free = True
            if self._may_use_hosted(live):
                live.budget.spend(call.name + call.arguments)
                self._call_mcp(live, call)
        for call in guarded:
            waiting = True
            live.budget.spend(call.name + call.arguments)
            writer.whole(
                {
                    "id": new_id("mcpr_"),
                    "type": "mcp_approval_request",
                    "server_label": call.server_label,
                    "name": call.name,
                    "arguments": call.arguments,
                    "_output": call.output,
                }
            )
        for function in calls:
            if not isinstance(function, CallFunction):
                continue
            waiting = True
            live.budget.spend(function.name + function.arguments)
            if any(t["type"] == "custom" and t.get("name") == function.name for t in live.tools):
                writer.custom_call(function.name, _input_of(function.arguments))
            else:
                writer.function_call(function.name, function.arguments)
        return (free or hosted) and not waiting

    def _call_mcp(self, live: LiveResponse, call: CallMcp, approved_by: str | None = None) -> None:
        """Write an MCP call that is carried out; `approved_by` is its approval request."""
        item = call_mcp(live.writer, call, approved_by)
        live.items.append(
            CallItem(
                "mcp", item["id"], call.name, call.arguments, call.output, call.server_label,
                True if approved_by else None,
            )
        )  # fmt: skip


def _turn(live: LiveResponse) -> Turn:
    """The turn that the model is asked for in the next round."""
    response, used_up = live.response, live.tools_used_up
    tools = [t for t in live.tools if not used_up or t["type"] in ("function", "custom")]
    return Turn(
        agent_id=(response["agent_reference"] or {}).get("name", ""),
        model=response["model"],
        instructions=response["instructions"] or "",
        items=tuple(live.items),
        tools=tuple(map(tool_spec, tools)),
        tool_choice=ToolChoice() if used_up else tool_choice(response["tool_choice"]),
        parallel_tool_calls=response["parallel_tool_calls"],
        response_format=response_format(response["text"]),
        metadata=live.metadata,
        temperature=response["temperature"],
        top_p=response["top_p"],
        max_output_tokens=response["max_output_tokens"],
    )


def _input_of(arguments: str) -> str:
    """The text that a custom tool is called with."""
    try:
        return str(json.loads(arguments)["input"])
    except (ValueError, KeyError, TypeError):
        return arguments
