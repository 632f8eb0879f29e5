"""Tools and formats of answers as clients of the new protocol define them.

Only the fields of a tool that the emulator reads are checked: there are many others, and the
service adds to them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag

from ..core.json_schemas import Schema
from ..core.schemas import ToolName, text_tag


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class FlatFunction(_Open):
    type: Literal["function"]
    name: ToolName
    description: str | None = None
    parameters: Schema | None = None
    strict: bool | None = None


class FlatCustom(_Open):
    type: Literal["custom"]
    name: ToolName
    description: str | None = None


class SearchRanking(_Open):
    score_threshold: Annotated[float, Field(ge=0, le=1)] | None = None


class FlatFileSearch(_Open):
    type: Literal["file_search"]
    vector_store_ids: list[str]
    max_num_results: Annotated[int, Field(ge=1, le=50)] | None = None
    ranking_options: SearchRanking | None = None


class Container(_Open):
    type: Literal["auto"]
    file_ids: list[str] | None = None


class FlatCodeInterpreter(_Open):
    type: Literal["code_interpreter"]
    container: (
        Annotated[
            Annotated[str, Tag("~str")] | Annotated[Container, Tag("~object")],
            Discriminator(text_tag),
        ]
        | None
    ) = None


class ToolFilter(_Open):
    tool_names: list[str] | None = None


class ApprovalFilters(_Open):
    always: ToolFilter | None = None
    never: ToolFilter | None = None


def _allowed_kind(value: Any) -> str:
    return "~list" if isinstance(value, list) else "~object"


class FlatMcp(_Open):
    type: Literal["mcp"]
    server_label: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,256}$")]
    server_description: str | None = None
    allowed_tools: (
        Annotated[
            Annotated[list[str], Tag("~list")] | Annotated[ToolFilter, Tag("~object")],
            Discriminator(_allowed_kind),
        ]
        | None
    ) = None
    require_approval: (
        Annotated[
            Annotated[Literal["always", "never"], Tag("~str")]
            | Annotated[ApprovalFilters, Tag("~object")],
            Discriminator(text_tag),
        ]
        | None
    ) = None


class FlatImageGeneration(_Open):
    type: Literal["image_generation"]
    partial_images: Annotated[int, Field(ge=0, le=3)] | None = None


class FlatStructuredOutputs(_Open):
    type: Literal["capture_structured_outputs"]
    outputs: dict[str, Any]


class OtherTool(_Open):
    type: Literal[
        "a2a_preview", "apply_patch", "azure_ai_search", "azure_function",
        "bing_custom_search_preview", "bing_grounding", "browser_automation_preview",
        "computer", "computer_use_preview",
        "fabric_dataagent_preview", "fabric_iq_preview", "local_shell", "memory_search_preview",
        "namespace", "openapi", "sharepoint_grounding_preview", "shell", "tool_search",
        "toolbox_search_preview", "web_search", "web_search_preview", "work_iq_preview",
    ]  # fmt: skip


_OWN = (
    "function", "custom", "file_search", "code_interpreter", "mcp", "image_generation",
    "capture_structured_outputs",
)  # fmt: skip


def _tool_kind(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else None
    return f"~{kind}" if kind in _OWN else "~other"


FlatTool = Annotated[
    Annotated[FlatFunction, Tag("~function")]
    | Annotated[FlatCustom, Tag("~custom")]
    | Annotated[FlatFileSearch, Tag("~file_search")]
    | Annotated[FlatCodeInterpreter, Tag("~code_interpreter")]
    | Annotated[FlatMcp, Tag("~mcp")]
    | Annotated[FlatImageGeneration, Tag("~image_generation")]
    | Annotated[FlatStructuredOutputs, Tag("~capture_structured_outputs")]
    | Annotated[OtherTool, Tag("~other")],
    Discriminator(_tool_kind),
]


# ---- formats of answers ---------------------------------------------------------------------


class PlainFormat(_Open):
    type: Literal["text", "json_object"]


class SchemaFormat(_Open):
    type: Literal["json_schema"]
    name: ToolName
    json_schema: Schema = Field(alias="schema")
    description: str | None = None
    strict: bool | None = None


def _format_kind(value: Any) -> str:
    schema = isinstance(value, dict) and value.get("type") == "json_schema"
    return "~json_schema" if schema else "~plain"


class TextOptions(_Open):
    format: (
        Annotated[
            Annotated[PlainFormat, Tag("~plain")] | Annotated[SchemaFormat, Tag("~json_schema")],
            Discriminator(_format_kind),
        ]
        | None
    ) = None
