"""The settings of an emulator, with the reason for each default; no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

KNOWN_API_VERSIONS = ("v1", "2025-05-01", "2025-05-15-preview")
RUN_LIFETIME_SECONDS = 600.0  # the service's: runs expire 10 minutes after creation
MAX_BODY_BYTES = 16 * 1024 * 1024  # JSON bodies; a message holds at most 1.5 million characters
MAX_UPLOAD_BYTES = 512 * 1024 * 1024  # the service's limit on a file
KEPT_REQUESTS = 10_000
KEPT_FINISHED_RUNS = 200


@dataclass(frozen=True, slots=True)
class Strictness:
    """Behaviour of the real service that is not confirmed; each default is the stricter one."""

    min_max_tokens: int = 256
    """Least value of max_prompt_tokens and max_completion_tokens (in the TypeSpec only)."""
    allow_tool_choice_required: bool = False
    """Whether tool_choice "required" is accepted (absent from the Foundry enum)."""
    max_messages_per_request: int = 32
    """Messages in one thread creation and in additional_messages."""
    preview_on_v1: bool = True
    """Whether api-version v1 accepts what the preview added: mcp tools and tool_approvals."""
    allow_json_schema_strict: bool = True
    """Whether response_format.json_schema.strict is accepted (the typed model lacks the field)."""
    utf16_indices: bool = False
    """Whether annotation indices count UTF-16 units instead of characters."""
    max_attachments: int = 10
    """Attachments of one message (OpenAI's number; Foundry's spec has none)."""
    allowed_with_agent: frozenset[str] = frozenset()
    """Fields of a response that are accepted next to an agent, although they belong to its
    definition; `responses.checks.WITH_AGENT` lists them all."""
    unknown_with_agent: bool = True
    """Whether fields of which nobody knows if they may stand next to an agent are accepted."""
    min_max_output_tokens: int = 16
    """Least value of max_output_tokens (OpenAI's; unconfirmed for Foundry)."""
    hosted_items_in_input: bool = False
    """Whether output items of hosted tools (web_search_call, mcp_list_tools, ...) may be sent back
    as input (users report that they are refused)."""
    approvals_must_be_answered: bool = True
    """Whether a follow-up that leaves an MCP approval request open is refused."""
    failed_responses_keep_input: bool = False
    """Whether the input of a failed or cancelled response joins its conversation."""
    foreground_stops_on_disconnect: bool = True
    """Whether a foreground response is cancelled when its client disconnects."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an emulator is started with."""

    token: str | None = None
    """The only bearer token accepted; None accepts any non-empty one."""
    data: str | None = None
    """Path of the SQLite file; None keeps everything in memory."""
    allowed_hosts: tuple[str, ...] | None = None
    """Host names that requests may name; None for any. It stops web pages that reach a loopback
    emulator by a DNS name of their own."""
    run_lifetime: float = RUN_LIFETIME_SECONDS
    indexing_delay: float = 0.02
    """Seconds that files of a vector store stay in progress."""
    max_body_bytes: int = MAX_BODY_BYTES
    max_upload_bytes: int = MAX_UPLOAD_BYTES
    strictness: Strictness = field(default_factory=Strictness)
