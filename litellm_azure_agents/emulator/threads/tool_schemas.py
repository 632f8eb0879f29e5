"""Tools and tool resources as clients define them, on agents, threads and runs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from ..core.json_schemas import Schema
from ..core.schemas import DataSource, Strict, ToolName, text_tag, type_tag
from ..files.schemas import VectorStoreSources

PREVIEW_TOOLS = frozenset({
    "mcp", "bing_custom_search", "sharepoint_grounding", "fabric_dataagent",
    "browser_automation", "computer_use_preview", "deep_research",
})  # fmt: skip


class FunctionDefinition(Strict):
    name: ToolName
    description: str | None = None
    parameters: Schema | None = None
    strict: bool | None = None


class FunctionTool(Strict):
    type: Literal["function"]
    function: FunctionDefinition


class CodeInterpreterTool(Strict):
    type: Literal["code_interpreter"]


class RankingOptions(Strict):
    ranker: str
    score_threshold: Annotated[float, Field(ge=0, le=1)]


class FileSearchOptions(Strict):
    max_num_results: Annotated[int, Field(ge=1, le=50)] | None = None
    ranking_options: RankingOptions | None = None


class FileSearchTool(Strict):
    type: Literal["file_search"]
    file_search: FileSearchOptions | None = None


class McpTool(Strict):
    type: Literal["mcp"]
    server_label: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_]{1,256}$")]
    server_url: str
    allowed_tools: list[str] | None = None


class BingTool(Strict):
    type: Literal["bing_grounding"]
    bing_grounding: dict[str, Any]


class AzureAISearchTool(Strict):
    type: Literal["azure_ai_search"]
    azure_ai_search: dict[str, Any] | None = None


class OpenApiTool(Strict):
    type: Literal["openapi"]
    openapi: dict[str, Any]


class AzureFunctionTool(Strict):
    type: Literal["azure_function"]
    azure_function: dict[str, Any]


class ConnectedAgent(Strict):
    id: str
    name: str
    description: str


class ConnectedAgentTool(Strict):
    type: Literal["connected_agent"]
    connected_agent: ConnectedAgent


class BingCustomSearchTool(Strict):
    type: Literal["bing_custom_search"]
    bing_custom_search: dict[str, Any]


class SharepointTool(Strict):
    type: Literal["sharepoint_grounding"]
    sharepoint_grounding: dict[str, Any]


class FabricTool(Strict):
    type: Literal["fabric_dataagent"]
    fabric_dataagent: dict[str, Any]


class BrowserAutomationTool(Strict):
    type: Literal["browser_automation"]
    browser_automation: dict[str, Any]


class ComputerUseTool(Strict):
    type: Literal["computer_use_preview"]
    computer_use_preview: dict[str, Any]


class DeepResearchTool(Strict):
    type: Literal["deep_research"]
    deep_research: dict[str, Any]


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
    Discriminator(type_tag),
]


class CodeInterpreterResource(Strict):
    file_ids: Annotated[list[str], Field(max_length=20)] | None = None
    data_sources: list[DataSource] | None = None

    @model_validator(mode="after")
    def _not_both(self) -> CodeInterpreterResource:
        if self.file_ids and self.data_sources:
            raise ValueError("give file_ids or data_sources, not both")
        return self


class InlineVectorStore(Strict):
    name: str
    configuration: VectorStoreSources


class FileSearchResource(Strict):
    vector_store_ids: Annotated[list[str], Field(max_length=1)] | None = None
    vector_stores: Annotated[list[InlineVectorStore], Field(max_length=1)] | None = None


class SearchIndex(Strict):
    index_connection_id: str | None = None
    index_name: str | None = None
    query_type: str | None = None
    top_k: int | None = None
    filter: str | None = None
    index_asset_id: str | None = None


class AzureAISearchResource(Strict):
    indexes: Annotated[list[SearchIndex], Field(max_length=1)] | None = None


class ApprovalPerTool(Strict):
    never: ToolNames | None = None
    always: ToolNames | None = None


class ToolNames(Strict):
    tool_names: list[str]


class McpResource(Strict):
    server_label: str
    headers: dict[str, str] = Field(default_factory=dict)
    require_approval: (
        Annotated[
            Annotated[Literal["always", "never"], Tag("~str")]
            | Annotated[ApprovalPerTool, Tag("~object")],
            Discriminator(text_tag),
        ]
        | None
    ) = None


class ToolResources(Strict):
    code_interpreter: CodeInterpreterResource | None = None
    file_search: FileSearchResource | None = None
    azure_ai_search: AzureAISearchResource | None = None
    mcp: list[McpResource] | None = None
