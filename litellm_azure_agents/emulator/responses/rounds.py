"""One round of a response: what the brain says is written, what it calls is answered or asked."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..core.events import EventLog
from ..core.ids import new_id
from ..core.store import Doc, Store
from ..engine import tokens
from ..engine.budget import Budget
from ..engine.live import Stop
from ..engine.toolbox import Toolbox, is_image
from ..files.containers import Containers
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
    Item,
    Logs,
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
    ToolChoice,
    Turn,
    Usage,
    UseTool,
    Wait,
    reports_usage,
)
from .items import approved_requests, brain_items
from .tools import (
    asks_first,
    call_mcp,
    list_mcp_tools,
    response_format,
    tool_choice,
    tool_spec,
    use_tool,
)
from .writer import ResponseWriter

_MAX_ROUNDS = 50  # a brain that never stops calling is stopped


@dataclass
class LiveResponse:
    """A response as long as its task lives, and its events for a while after."""

    response: Doc
    metadata: Mapping[str, str]
    """The agent version's."""
    log: EventLog
    writer: ResponseWriter
    history: list[Doc]
    """Items before this response's input."""
    given: list[Doc]
    """The input."""
    container: str = ""
    items: list[Item] = field(default_factory=list)
    user: str | None = None
    budget: Budget = field(init=False)
    """Of the round that is played."""
    hosted: int = 0
    """Calls of hosted tools so far."""
    task: asyncio.Task[None] | None = None
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    end: str = "cancelled"
    """What a cancellation of the task means: cancelled or shutdown."""

    @property
    def tools(self) -> list[Doc]:
        """The tools in force."""
        found: list[Doc] = self.response["tools"]
        return found

    @property
    def spent(self) -> bool:
        """Whether `max_tool_calls` hosted calls were made: further ones are ignored."""
        most: int | None = self.response["max_tool_calls"]
        return most is not None and self.hosted >= most


class ResponseRounds:
    """Plays a response to its end."""

    def __init__(
        self,
        store: Store,
        brain: Brain,
        toolbox: Toolbox,
        vectors: VectorStores,
        containers: Containers,
    ) -> None:
        self.store = store
        self.brain = brain
        self.toolbox = toolbox
        self.vectors = vectors
        self.containers = containers

    async def play(self, live: LiveResponse) -> None:
        """All rounds; raises Stop where the brain ends the response early."""
        live.items = brain_items([*live.history, *live.given])
        self._open_servers(live)
        for request in approved_requests([*live.history, *live.given]):
            output = request.get("_output", "done")
            self._mcp(live, request["server_label"], request["name"], request["arguments"],
                      output, request["id"])  # fmt: skip
        for _ in range(_MAX_ROUNDS):
            if not await self._round(live):
                return
        raise Stop(
            "failed", "", error={"code": "server_error", "message": "Too many rounds of calls."}
        )

    def _open_servers(self, live: LiveResponse) -> None:
        """List the tools of each MCP server once in a conversation."""
        listed = {i.get("server_label") for i in live.history if i["type"] == "mcp_list_tools"}
        for tool in live.tools:
            if tool["type"] == "mcp" and tool["server_label"] not in listed:
                list_mcp_tools(live.writer, tool)

    def _turn(self, live: LiveResponse) -> Turn:
        response = live.response
        reference = response["agent_reference"] or {}
        tools = [t for t in live.tools if not live.spent or t["type"] in ("function", "custom")]
        return Turn(
            agent_id=reference.get("name", ""),
            model=response["model"],
            instructions=response["instructions"] or "",
            items=tuple(live.items),
            tools=tuple(map(tool_spec, tools)),
            tool_choice=ToolChoice() if live.spent else tool_choice(response["tool_choice"]),
            parallel_tool_calls=response["parallel_tool_calls"],
            response_format=response_format(response["text"]),
            metadata=live.metadata,
            temperature=response["temperature"],
            top_p=response["top_p"],
            max_output_tokens=response["max_output_tokens"],
            read_file=self.toolbox.read_file,
        )

    async def _round(self, live: LiveResponse) -> bool:
        """One round; whether another is needed."""
        writer, turn = live.writer, self._turn(live)
        budget = Budget(
            writer,
            live.response["max_output_tokens"],
            lambda: _incomplete("max_output_tokens"),
            exact=reports_usage(self.brain, turn),
        )
        if budget.exact:
            turn = replace(turn, max_output_tokens=budget.left())
        live.budget = budget
        budget.read(tokens.of_prompt(turn))
        said: list[str] = []
        functions: list[CallFunction] = []
        mcp: list[CallMcp] = []
        again = False
        async for action in self.brain.respond(turn):
            await asyncio.sleep(0)  # fairness: other responses and readers get their turn
            if isinstance(action, Text):
                said.append(self._say(live, action))
            elif isinstance(action, Refuse):
                budget.note(action.text)
                writer.refusal(action.text)
                said.append(action.text)
            elif isinstance(action, NewPart):
                writer.new_part()
                said.append("\n")
            elif isinstance(action, NewMessage):
                writer.close_message()
                said.append("\n")
            elif isinstance(action, Image):
                self._image(live, action)
            elif isinstance(action, Reason):
                writer.close_message()
                budget.note(f"{action.summary} {action.text}", reasoning=True)
                writer.reasoning(action.summary, action.text)
            elif isinstance(action, OutputItem):
                writer.close_message()
                writer.whole({"id": new_id("item_"), **action.fields})
            elif isinstance(action, Wait):
                await asyncio.sleep(action.seconds)
            elif isinstance(action, Fail):
                error = {"code": action.code, "message": action.message}
                raise Stop("failed", "", error=error)
            elif isinstance(action, Incomplete):
                filtered = action.reason == "content_filter"
                raise _incomplete("content_filter" if filtered else "max_output_tokens")
            elif isinstance(action, CallFunction):
                functions.append(action)
            elif isinstance(action, CallPiece):
                self._end_message(live, said)
                writer.call_piece(action.index, action.name, action.arguments)
            elif isinstance(action, CallMcp):
                mcp.append(action)
            elif isinstance(action, Usage):
                budget.correct(action)
            else:
                again = True
                self._end_message(live, said)
                if not live.spent:
                    live.hosted += 1
                    await self._use_hosted(live, action)
        self._end_message(live, said)
        called = writer.whole_calls()
        free = [c for c in mcp if not asks_first(live.tools, c.server_label, c.name)]
        for call in free:
            if live.spent:
                break
            live.hosted += 1
            live.budget.spend(call.name + call.arguments)
            self._mcp(live, call.server_label, call.name, call.arguments, call.output, None)
        asked = [c for c in mcp if c not in free]
        for call in asked:
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
        for function in functions:
            live.budget.spend(function.name + function.arguments)
            if any(t["type"] == "custom" and t.get("name") == function.name for t in live.tools):
                writer.custom_call(function.name, _input_of(function.arguments))
            else:
                writer.function_call(function.name, function.arguments)
        return bool(free or again) and not (asked or functions or called)

    # ---- text

    def _end_message(self, live: LiveResponse, said: list[str]) -> None:
        live.writer.close_message()
        if text := "".join(said).strip("\n"):
            live.items.append(MessageItem("assistant", text))
        said.clear()

    def _say(self, live: LiveResponse, action: Text) -> str:
        """Write text as far as max_output_tokens allows; what was written."""
        text = live.budget.cut(action.text)
        whole = text == action.text
        if text:
            live.writer.text(text, action.annotations if whole else ())
        if not whole:
            raise live.budget.stop()
        return text

    def _image(self, live: LiveResponse, action: Image) -> None:
        if action.file is not None:
            live.writer.image(action.file)
        elif citation := self.containers.citation(action.file_id):
            live.writer.cite_image(citation)

    # ---- calls

    def _mcp(
        self,
        live: LiveResponse,
        label: str,
        name: str,
        arguments: str,
        output: str,
        request: str | None,
    ) -> None:
        item = call_mcp(live.writer, label, name, arguments, output, request)
        approved = True if request else None
        live.items.append(CallItem("mcp", item["id"], name, arguments, output, label, approved))

    async def _use_hosted(
        self, live: LiveResponse, action: SearchFiles | RunCode | UseTool
    ) -> None:
        """Run a tool that needs nobody, write its items, remember its result."""
        if isinstance(action, SearchFiles):
            live.budget.spend(action.query)
            item = self._search(live, action.query)
        elif isinstance(action, RunCode):
            live.budget.spend(action.code)
            outputs: Sequence[Logs | OutputFile] | None = action.outputs
            if outputs is None:
                outputs = await self.toolbox.interpret(action.code, self._code_files(live))
            item = self._code(live, action.code, outputs)
        else:
            last = next(
                (i.text for i in reversed(live.items)
                 if isinstance(i, MessageItem) and i.role == "user"), ""
            )  # fmt: skip
            output = use_tool(live.writer, action, live.tools, last)
            live.items.append(
                CallItem(action.type, new_id("call_"), action.name, str(action.fields), output)
            )
            return
        live.items += brain_items([item])

    def _search(self, live: LiveResponse, query: str) -> Doc:
        tools = [t for t in live.tools if t["type"] == "file_search"]
        ids = [id for tool in tools for id in tool.get("vector_store_ids") or ()]
        resources = {"file_search": {"vector_store_ids": ids}}
        stores = self.vectors.searchable({"tool_resources": resources, "thread_id": ""})
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
        return item

    def _code(self, live: LiveResponse, code: str, outputs: Sequence[Logs | OutputFile]) -> Doc:
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
        return item

    def _code_files(self, live: LiveResponse) -> dict[str, bytes]:
        ids: list[str] = []
        for tool in live.tools:
            container = tool.get("container")
            if tool["type"] == "code_interpreter" and isinstance(container, Mapping):
                ids += container.get("file_ids") or ()
        for item in live.items:
            if isinstance(item, MessageItem):
                ids += item.file_ids
        return self.toolbox.files(ids)


def _input_of(arguments: str) -> str:
    """What a custom tool is called with."""
    try:
        return str(json.loads(arguments)["input"])
    except (ValueError, KeyError, TypeError):
        return arguments


def _incomplete(reason: str) -> Stop:
    details: dict[str, Any] = {"reason": reason}
    return Stop("incomplete", reason, incomplete_details=details)
