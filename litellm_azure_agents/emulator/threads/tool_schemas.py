"""Tools and tool resources as clients define them, on agents, threads and runs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from ..core.json_schemas import Schema


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


PREVIEW_TOOLS = frozenset({
    "mcp", "bing_custom_search", "sharepoint_grounding", "fabric_dataagent",
    "browser_automation", "computer_use_preview", "deep_research",
})  # fmt: skip


class FunctionDefinition(_Strict):
    name: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str | None = None
    parameters: Schema | None = None
    strict: bool | None = None


class FunctionTool(_Strict):
    type: Literal["function"]
    function: FunctionDefinition


class CodeInterpreterTool(_Strict):
    type: Literal["code_interpreter"]


class RankingOptions(_Strict):
    ranker: str
    score_threshold: Annotated[float, Field(ge=0, le=1)]


class FileSearchOptions(_Strict):
    max_num_results: Annotated[int, Field(ge=1, le=50)] | None = None
    ranking_options: RankingOptions | None = None


class FileSearchTool(_Strict):
    type: Literal["file_search"]
    file_search: FileSearchOptions | None = None


class McpTool(_Strict):
    type: Literal["mcp"]
    server_label: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_]{1,256}$")]
    server_url: str
    allowed_tools: list[str] | None = None


class BingTool(_Strict):
    type: Literal["bing_grounding"]
    bing_grounding: dict[str, Any]


class AzureAISearchTool(_Strict):
    type: Literal["azure_ai_search"]
    azure_ai_search: dict[str, Any] | None = None


class OpenApiTool(_Strict):
    type: Literal["openapi"]
    openapi: dict[str, Any]


class AzureFunctionTool(_Strict):
    type: Literal["azure_function"]
    azure_function: dict[str, Any]


class ConnectedAgent(_Strict):
    id: str
    name: str
    description: str


class ConnectedAgentTool(_Strict):
    type: Literal["connected_agent"]
    connected_agent: ConnectedAgent


class BingCustomSearchTool(_Strict):
    type: Literal["bing_custom_search"]
    bing_custom_search: dict[str, Any]


class SharepointTool(_Strict):
    type: Literal["sharepoint_grounding"]
    sharepoint_grounding: dict[str, Any]


class FabricTool(_Strict):
    type: Literal["fabric_dataagent"]
    fabric_dataagent: dict[str, Any]


class BrowserAutomationTool(_Strict):
    type: Literal["browser_automation"]
    browser_automation: dict[str, Any]


class ComputerUseTool(_Strict):
    type: Literal["computer_use_preview"]
    computer_use_preview: dict[str, Any]


class DeepResearchTool(_Strict):
    type: Literal["deep_research"]
    deep_research: dict[str, Any]


def _type(value: Any) -> str:
    return f"~{value.get('type')}" if isinstance(value, dict) else "~?"


ToolDefinition = Annotated[
    Annotated[FunctionTool, Tag("~function")]
    | Annotated[CodeInterpreterTool, Tag("~code_interpreter")]
    | Annotated[FileSearchTool, Tag("~file_search")]
    | Annotated[McpTool, Tag("~mcp")]
    | Annotated[BingTool, Tag("~bing_grounding")]
    | Annotated[AzureAISearchTool, Tag("~azure_ai_search")]
    | Annotated[OpenApiTool, Tag("~openapi")]
    | Annotated[AzureFunctionTool, Tag("~azure_function")]
    | Annotated[ConnectedAgentTool, Tag("~connected_agent")]
    | Annotated[BingCustomSearchTool, Tag("~bing_custom_search")]
    | Annotated[SharepointTool, Tag("~sharepoint_grounding")]
    | Annotated[FabricTool, Tag("~fabric_dataagent")]
    | Annotated[BrowserAutomationTool, Tag("~browser_automation")]
    | Annotated[ComputerUseTool, Tag("~computer_use_preview")]
    | Annotated[DeepResearchTool, Tag("~deep_research")],
    Discriminator(_type),
]


class VectorStoreDataSource(_Strict):
    uri: str
    type: Literal["uri_asset", "id_asset"]


class CodeInterpreterResource(_Strict):
    file_ids: Annotated[list[str], Field(max_length=20)] | None = None
    data_sources: list[VectorStoreDataSource] | None = None

    @model_validator(mode="after")
    def _not_both(self) -> CodeInterpreterResource:
        if self.file_ids and self.data_sources:
            raise ValueError("give file_ids or data_sources, not both")
        return self


class VectorStoreSources(_Strict):
    data_sources: list[VectorStoreDataSource]


class InlineVectorStore(_Strict):
    name: str
    configuration: VectorStoreSources


class FileSearchResource(_Strict):
    vector_store_ids: Annotated[list[str], Field(max_length=1)] | None = None
    vector_stores: Annotated[list[InlineVectorStore], Field(max_length=1)] | None = None


class SearchIndex(_Strict):
    index_connection_id: str | None = None
    index_name: str | None = None
    query_type: str | None = None
    top_k: int | None = None
    filter: str | None = None
    index_asset_id: str | None = None


class AzureAISearchResource(_Strict):
    indexes: Annotated[list[SearchIndex], Field(max_length=1)] | None = None


class ApprovalPerTool(_Strict):
    never: ToolNames | None = None
    always: ToolNames | None = None


class ToolNames(_Strict):
    tool_names: list[str]


def _approval_kind(value: Any) -> str:
    return "~str" if isinstance(value, str) else "~object"


class McpResource(_Strict):
    server_label: str
    headers: dict[str, str] = {}
    require_approval: (
        Annotated[
            Annotated[Literal["always", "never"], Tag("~str")]
            | Annotated[ApprovalPerTool, Tag("~object")],
            Discriminator(_approval_kind),
        ]
        | None
    ) = None


class ToolResources(_Strict):
    code_interpreter: CodeInterpreterResource | None = None
    file_search: FileSearchResource | None = None
    azure_ai_search: AzureAISearchResource | None = None
    mcp: list[McpResource] | None = None
