"""Request bodies of the new protocol: unknown and ill-typed fields are refused.

`items` checks input items, `tools` checks the choice of tools.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from ..core.schemas import (
    Description,
    Instructions,
    Metadata,
    ModelName,
    Strict,
    Temperature,
    TopP,
)
from .tool_schemas import FlatTool, TextOptions

AgentName = Annotated[
    str, StringConstraints(pattern=r"^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$")
]


class AgentReference(Strict):
    type: Literal["agent_reference"]
    name: str
    version: str | None = None
    id: str | None = None


class ResponseCreate(Strict):
    agent_reference: AgentReference | None = None
    model: ModelName | None = None
    input: Any = None
    conversation: Any = None
    previous_response_id: str | None = None
    store: bool | None = None
    background: bool | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    include: list[str] | None = None
    metadata: Metadata | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    max_tool_calls: Annotated[int, Field(ge=1)] | None = None
    parallel_tool_calls: bool | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    text: TextOptions | None = None
    tool_choice: Any = None
    tools: Annotated[list[FlatTool], Field(max_length=128)] | None = None
    reasoning: dict[str, Any] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    instructions: Instructions | None = None
    user: str | None = None
    prompt: dict[str, Any] | None = None
    service_tier: str | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    structured_inputs: dict[str, Any] | None = None
    agent_session_id: str | None = None


class ConversationCreate(Strict):
    items: Annotated[list[dict[str, Any]], Field(max_length=20)] | None = None
    metadata: Metadata | None = None


class ConversationUpdate(Strict):
    metadata: Metadata | None = None


class ItemsCreate(Strict):
    items: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=20)]


# ---- agents ---------------------------------------------------------------------------------


class PromptDefinition(Strict):
    kind: Literal["prompt"]
    model: ModelName
    instructions: Instructions | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    reasoning: dict[str, Any] | None = None
    tools: Annotated[list[FlatTool], Field(max_length=128)] | None = None
    tool_choice: Any = None
    text: TextOptions | None = None
    structured_inputs: dict[str, dict[str, Any]] | None = None
    rai_config: dict[str, Any] | None = None


class WorkflowDefinition(Strict):
    kind: Literal["workflow"]
    workflow: str | None = None
    rai_config: dict[str, Any] | None = None


class HostedDefinition(Strict):
    kind: Literal["hosted"]
    cpu: str
    memory: str
    environment_variables: dict[str, str] | None = None
    container_configuration: dict[str, Any] | None = None
    protocol_versions: list[dict[str, Any]] | None = None
    code_configuration: dict[str, Any] | None = None
    telemetry_config: dict[str, Any] | None = None
    rai_config: dict[str, Any] | None = None


class ExternalDefinition(Strict):
    kind: Literal["external"]
    otel_agent_id: str | None = None
    rai_config: dict[str, Any] | None = None


Definition = Annotated[
    PromptDefinition | WorkflowDefinition | HostedDefinition | ExternalDefinition,
    Field(discriminator="kind"),
]


class VersionCreate(Strict):
    definition: Definition
    description: Description | None = None
    metadata: Metadata | None = None
    draft: bool | None = None
    blueprint_reference: dict[str, Any] | None = None


class SelectionRule(Strict):
    type: Literal["FixedRatio"]
    agent_version: str
    traffic_percentage: Annotated[int, Field(ge=0, le=100)]


class VersionSelector(Strict):
    version_selection_rules: Annotated[list[SelectionRule], Field(min_length=1)]


class AgentEndpoint(Strict):
    version_selector: VersionSelector | None = None
    protocol_configuration: dict[str, Any] | None = None
    authorization_schemes: list[dict[str, Any]] | None = None


class AgentUpdate(Strict):
    agent_endpoint: AgentEndpoint | None = None
    agent_card: dict[str, Any] | None = None


class VersionIndicator(Strict):
    type: Literal["version_ref"]
    agent_version: str


class SessionCreate(Strict):
    agent_session_id: Annotated[str, StringConstraints(pattern=r"^[\w-]{1,128}$")] | None = None
    version_indicator: VersionIndicator | None = None
