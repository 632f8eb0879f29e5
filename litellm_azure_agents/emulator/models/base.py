"""The interface between protocols and models: a Turn goes in, actions come out.

A `Model` is asked once a *round*. A round ends when its iterator ends. If it had tool calls, the
engine gets them answered (by the client, or by the emulator for hosted tools), adds the calls to
`Turn.items` and asks for the next round. A model keeps no state of its own: a run can continue in
another HTTP request. Both protocols render the same actions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

# ---- what goes in ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """One tool the agent may use. `config` is the tool as the client defined it."""

    type: str
    name: str = ""
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """mode: auto, none, required or named; `type` and `name` only when named."""

    mode: str = "auto"
    type: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class ImageRef:
    """An image in a message, by URL (data URLs too) or by file id."""

    url: str | None = None
    file_id: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class MessageItem:
    """A turn of the conversation."""

    role: str
    text: str
    images: tuple[ImageRef, ...] = ()
    file_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A passage found by file search; score is between 0 and 1."""

    file_id: str
    filename: str
    score: float
    text: str


@dataclass(frozen=True, slots=True)
class CallItem:
    """A tool call that has been answered; `approved` is None where nobody was asked."""

    type: str
    id: str
    name: str
    arguments: str
    output: str = ""
    server_label: str = ""
    approved: bool | None = None
    hits: tuple[SearchHit, ...] = ()
    file_ids: tuple[str, ...] = ()
    """Images that code made."""
    files: tuple[tuple[str, str], ...] = ()
    """Names and ids of the other files that code made."""


Item = MessageItem | CallItem


@dataclass(frozen=True, slots=True)
class Turn:
    """Everything a model knows when it is asked for a round."""

    agent_id: str
    model: str
    instructions: str
    items: tuple[Item, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: ToolChoice = ToolChoice()
    parallel_tool_calls: bool = True
    response_format: Mapping[str, Any] | None = None
    """None for text, else `{"type": "json_object"}` or `{"type": "json_schema", "schema": …}`."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """The agent's; scripts live here."""
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    read_file: Callable[[str], OutputFile | None] = field(default=lambda id: None, compare=False)
    """The bytes of a file of the project, by id."""

    @property
    def user_text(self) -> str:
        """The text of the user's last message."""
        for item in reversed(self.items):
            if isinstance(item, MessageItem) and item.role == "user":
                return item.text
        return ""

    @property
    def calls(self) -> tuple[CallItem, ...]:
        """Tool calls answered since the user's last message, oldest first."""
        found: list[CallItem] = []
        for item in reversed(self.items):
            if isinstance(item, CallItem):
                found.append(item)
            elif item.role == "user":
                break
        return tuple(reversed(found))


# ---- what comes out -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file that the agent makes; the engine stores it and gives it an id."""

    data: bytes
    filename: str


@dataclass(frozen=True, slots=True)
class Annotation:
    """`kind` is file_citation, file_path or url_citation. `marker` is the annotated text; it must
    end where the text of the action that has the annotation ends."""

    kind: str
    marker: str
    file_id: str = ""
    quote: str = ""
    file: OutputFile | None = None
    url: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """More text of the current part."""

    text: str
    annotations: tuple[Annotation, ...] = ()


@dataclass(frozen=True, slots=True)
class Refuse:
    """More text of a refusal."""

    text: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Reasoning; a protocol without it leaves it out."""

    summary: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class OutputItem:
    """A whole output item with its `type`; a protocol without items leaves it out."""

    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NewPart:
    """The next text begins another text part of the same message."""


@dataclass(frozen=True, slots=True)
class NewMessage:
    """The next text begins another message."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image part of the current message: a new file, or one that a call made."""

    file: OutputFile | None = None
    file_id: str = ""


@dataclass(frozen=True, slots=True)
class CallFunction:
    """A call of a function that the client runs; all calls of a round go to it together."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class CallPiece:
    """A piece of a function call: the first has the name, all have some of the arguments. `index`
    tells the calls of a round apart. After the first piece, a round has only pieces and Usage."""

    index: int
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class CallMcp:
    """A call of an MCP server's tool; the engine asks for approval if the agent requires it.

    No server is called: `output` is its answer.
    """

    server_label: str
    name: str
    arguments: str
    output: str


@dataclass(frozen=True, slots=True)
class SearchFiles:
    """Search the files that the run can see."""

    query: str


@dataclass(frozen=True, slots=True)
class Logs:
    """Text printed by code."""

    text: str


@dataclass(frozen=True, slots=True)
class RunCode:
    """Use code interpreter. With `outputs` None the emulator's own interpreter runs the code."""

    code: str
    outputs: tuple[Logs | OutputFile, ...] | None = None


@dataclass(frozen=True, slots=True)
class UseTool:
    """A hosted tool whose call and result are a map of strings (bing_grounding, openapi, ...)."""

    type: str
    fields: Mapping[str, str]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """Pause."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Fail:
    """The run fails with this last_error."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Incomplete:
    """The run stops early: max_completion_tokens, max_prompt_tokens or content_filter."""

    reason: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of this round, from a real model. Without it the engine counts words."""

    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int = 0


Hosted = SearchFiles | RunCode | UseTool
Action = (
    Text | Refuse | Reason | OutputItem | NewPart | NewMessage | Image | CallFunction | CallPiece
    | CallMcp | Hosted | Wait | Fail | Incomplete | Usage
)  # fmt: skip


class Model(Protocol):
    """Answers behind an agent. An exception from it fails the run with server_error."""

    def respond(self, turn: Turn) -> AsyncIterator[Action]:
        """The actions of the next round of this turn."""
        ...


def reports_usage(model: Model, turn: Turn) -> bool:
    """Whether the model keeps `max_output_tokens` and counts tokens (`Usage`) itself.

    Such a model has a method of this name that returns True. The engine then neither cuts its text
    nor counts words.
    """
    method: Callable[[Turn], bool] | None = getattr(model, "reports_usage", None)
    return method is not None and method(turn)
