"""Request bodies of the classic routes: unknown and ill-typed fields are refused.

A field whose default is `None` may be sent as null. Unconfirmed limits are in `checks`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from ..core.json_schemas import Schema
from ..core.schemas import (
    DataSource,
    Description,
    Instructions,
    Metadata,
    ModelName,
    Strict,
    Temperature,
    ToolName,
    TopP,
    kind_tag,
    type_tag,
)
from .tool_schemas import ToolDefinition, ToolResources

MAX_MESSAGE_CHARACTERS = 1_500_000


# ---- messages -------------------------------------------------------------------------------


class TextPart(Strict):
    type: Literal["text"]
    text: str


class ImageUrl(Strict):
    url: Annotated[str, StringConstraints(min_length=1)]
    detail: Literal["auto", "low", "high"] | None = None


class ImageUrlPart(Strict):
    type: Literal["image_url"]
    image_url: ImageUrl


class ImageFile(Strict):
    file_id: str
    detail: Literal["auto", "low", "high"] | None = None


class ImageFilePart(Strict):
    type: Literal["image_file"]
    image_file: ImageFile


InputPart = Annotated[
    Annotated[TextPart, Tag("~text")]
    | Annotated[ImageUrlPart, Tag("~image_url")]
    | Annotated[ImageFilePart, Tag("~image_file")],
    Discriminator(type_tag),
]


class AttachmentTool(Strict):
    type: Literal["code_interpreter", "file_search"]


class Attachment(Strict):
    file_id: str | None = None
    data_source: DataSource | None = None
    tools: Annotated[list[AttachmentTool], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_source(self) -> Attachment:
        if (self.file_id is None) == (self.data_source is None):
            raise ValueError("give exactly one of file_id and data_source")
        return self


def _check_length(parts: list[InputPart]) -> list[InputPart]:
    if sum(len(part.text) for part in parts if isinstance(part, TextPart)) > MAX_MESSAGE_CHARACTERS:
        raise ValueError(f"the texts have more than {MAX_MESSAGE_CHARACTERS} characters together")
    return parts


Content = Annotated[
    Annotated[str, StringConstraints(min_length=1, max_length=MAX_MESSAGE_CHARACTERS), Tag("~str")]
    | Annotated[list[InputPart], Field(min_length=1), AfterValidator(_check_length), Tag("~list")],
    Discriminator(kind_tag),
]


class MessageCreate(Strict):
    role: Literal["user", "assistant"]
    content: Content
    attachments: list[Attachment] | None = None
    metadata: Metadata | None = None


class MetadataUpdate(Strict):
    """Body of the updates of messages and runs."""

    metadata: Metadata | None = None


# ---- agents and threads ---------------------------------------------------------------------


class JsonSchema(Strict):
    name: ToolName
    description: str | None = None
    json_schema: Schema = Field(alias="schema")
    strict: bool | None = None


class TextFormat(Strict):
    type: Literal["text"]


class JsonObjectFormat(Strict):
    type: Literal["json_object"]


class JsonSchemaFormat(Strict):
    type: Literal["json_schema"]
    json_schema: JsonSchema


def _format_tag(value: Any) -> str:
    return "~str" if isinstance(value, str) else type_tag(value)


ResponseFormat = Annotated[
    Annotated[Literal["auto"], Tag("~str")]
    | Annotated[TextFormat, Tag("~text")]
    | Annotated[JsonObjectFormat, Tag("~json_object")]
    | Annotated[JsonSchemaFormat, Tag("~json_schema")],
    Discriminator(_format_tag),
]
Tools = Annotated[list[ToolDefinition], Field(max_length=128)]


class AgentFields(Strict):
    name: Annotated[str, StringConstraints(max_length=256)] | None = None
    description: Description | None = None
    instructions: Instructions | None = None
    tools: Tools | None = None
    tool_resources: ToolResources | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    response_format: ResponseFormat | None = None
    metadata: Metadata | None = None


class AgentCreate(AgentFields):
    model: ModelName


class AgentUpdate(AgentFields):
    model: ModelName | None = None


class ThreadUpdate(Strict):
    tool_resources: ToolResources | None = None
    metadata: Metadata | None = None


class ThreadCreate(ThreadUpdate):
    messages: list[MessageCreate] | None = None


# ---- runs -----------------------------------------------------------------------------------


class FunctionName(Strict):
    name: str


class NamedToolChoice(Strict):
    type: Literal[
        "function", "code_interpreter", "file_search", "bing_grounding", "azure_ai_search",
        "connected_agent", "fabric_dataagent", "sharepoint_grounding", "bing_custom_search",
        "deep_research", "mcp", "computer_use_preview",
    ]  # fmt: skip
    function: FunctionName | None = None

    @model_validator(mode="after")
    def _function_is_named(self) -> NamedToolChoice:
        if (self.type == "function") != (self.function is not None):
            raise ValueError("'function' goes with type 'function', and only with it")
        return self


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("~str")]
    | Annotated[NamedToolChoice, Tag("~object")],
    Discriminator(kind_tag),
]


class Truncation(Strict):
    type: Literal["auto", "last_messages"]
    last_messages: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _count_is_given(self) -> Truncation:
        if self.type == "last_messages" and self.last_messages is None:
            raise ValueError("'last_messages' is required with type 'last_messages'")
        return self


class RunFields(Strict):
    assistant_id: str
    instructions: Instructions | None = None
    model: str | None = None
    tools: Tools | None = None
    tool_resources: ToolResources | None = None
    stream: bool = False
    temperature: Temperature | None = None
    top_p: TopP | None = None
    max_prompt_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    truncation_strategy: Truncation | None = None
    tool_choice: ToolChoice | None = None
    response_format: ResponseFormat | None = None
    parallel_tool_calls: bool = True
    metadata: Metadata | None = None


class RunCreate(RunFields):
    additional_instructions: Instructions | None = None
    additional_messages: list[MessageCreate] | None = None


class ThreadAndRunCreate(RunFields):
    thread: ThreadCreate | None = None


class ToolOutput(Strict):
    tool_call_id: str
    output: str
    type: Literal["function_call_output"] | None = None


class ToolApproval(Strict):
    tool_call_id: str
    approve: bool
    headers: dict[str, str] | None = None


class SubmitToolOutputs(Strict):
    tool_outputs: list[ToolOutput] | None = None
    tool_approvals: list[ToolApproval] | None = None
    stream: bool = False

    @model_validator(mode="after")
    def _something_is_submitted(self) -> SubmitToolOutputs:
        if self.tool_outputs is None and self.tool_approvals is None:
            raise ValueError("give tool_outputs or tool_approvals")
        return self
