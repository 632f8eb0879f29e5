"""From a request body to the plan of a response: whose it is, what it continues, what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.ids import new_id
from ..core.routing import invalid, missing
from ..core.settings import Strictness
from ..core.store import Doc
from ..project import Project
from .agents import fill_templates
from .engine import Plan
from .items import check_answers, read_input
from .objects import ENDED, INCLUDES, response_object
from .tools import check_tools, tool_choice

REFUSED_WITH_AGENT: dict[str, str] = {
    "tools": "reported",
    "tool_choice": "reported",
    "parallel_tool_calls": "reported",
    "text": "reported",
    "model": "reported",
    "instructions": "reported",
    "temperature": "unconfirmed",
    "top_p": "unconfirmed",
    "reasoning": "unconfirmed",
    "truncation": "unconfirmed",
    "max_tool_calls": "unconfirmed",
    "top_logprobs": "unconfirmed",
    "prompt": "unconfirmed",
    "service_tier": "unconfirmed",
}
"""Fields that belong to the agent's definition, and how sure we are that the service refuses them
next to an agent. `Strictness.allowed_with_agent` lets fields pass."""
UNCONFIRMED_WITH_AGENT = tuple(k for k, v in REFUSED_WITH_AGENT.items() if v == "unconfirmed")


def make_plan(
    project: Project,
    body: Mapping[str, Any],
    version: Doc | None,
    *,
    user: str | None = None,
    stateless: bool = False,
) -> Plan:
    """The response that a request asks for; raises the 400 or 404 of what is wrong with it."""
    strict = project.settings.strictness
    if version is not None:
        refuse_agent_fields(body, strict)
    elif body.get("model") is None:
        raise invalid("Missing required parameter: 'model'.", "model")
    _check_body(body, strict)
    conversation = _conversation(project, body.get("conversation"))
    previous = body.get("previous_response_id")
    if stateless:
        for field in ("conversation", "previous_response_id", "background"):
            if body.get(field):
                raise invalid(f"'{field}' is not available on an application.", field)
    if conversation is not None and previous is not None:
        raise invalid(
            "Mutually exclusive parameters: 'previous_response_id' and 'conversation'.",
            "previous_response_id",
            "mutually_exclusive_parameters",
        )
    history: list[Doc] = []
    if conversation is not None:
        project.responses.refuse_if_locked(conversation)
        history = project.store.all("conversation_item", conversation)
    elif previous is not None:
        history = _previous(project, previous, user)
    given = []
    if body.get("input") is not None:
        given = read_input(body["input"], hosted_allowed=strict.hosted_items_in_input)
    if not given and not history:
        raise invalid("Missing required parameter: 'input'.", "input")
    given = [_resolved(project, item, history) for item in given]
    _check_files(project, given)
    check_answers(history, given, approvals=strict.approvals_must_be_answered)
    definition: Mapping[str, Any] = version["definition"] if version is not None else {}
    instructions = body.get("instructions")
    if version is not None:
        instructions = fill_templates(definition, body.get("structured_inputs"))
    reference = None
    if version is not None:
        reference = {
            "type": "agent_reference",
            "name": version["name"],
            "version": version["version"],
        }
    fields = {name: value for name, value in body.items() if name != "store"}
    fields["store"] = False if stateless else body.get("store")
    response = response_object(
        definition,
        fields,
        instructions,
        reference,
        conversation,
        _session(project, body, definition, previous, conversation),
    )
    return Plan(
        response,
        given,
        history,
        version["metadata"] if version is not None else {},
        body.get("include") or (),
        user,
        bool(body.get("stream")),
    )


def refuse_agent_fields(body: Mapping[str, Any], strict: Strictness) -> None:
    """Raise the 400 for fields that may not stand next to an agent."""
    for field in REFUSED_WITH_AGENT:
        if body.get(field) is not None and field not in strict.allowed_with_agent:
            raise invalid("Not allowed when agent is specified.", field)


def _check_body(body: Mapping[str, Any], strict: Strictness) -> None:
    limit = body.get("max_output_tokens")
    if limit is not None and limit < strict.min_max_output_tokens:
        raise invalid(
            "Invalid 'max_output_tokens': integer below minimum value. Expected a value >="
            f" {strict.min_max_output_tokens}, but got {limit} instead.",
            "max_output_tokens",
            "integer_below_min_value",
        )
    if body.get("background") and body.get("store") is False:
        raise invalid("Background mode requires 'store' to be true.", "store",
                      "unsupported_parameter")  # fmt: skip
    for value in body.get("include") or ():
        if value not in INCLUDES:
            known = ", ".join(sorted(INCLUDES))
            raise invalid(f"Invalid value: '{value}'. Supported values are: {known}.", "include")
    check_tools(body.get("tools") or [], "tools")
    if body.get("tool_choice") is not None:
        tool_choice(body["tool_choice"])


def _conversation(project: Project, given: Any) -> str | None:
    if given is None:
        return None
    id = given.get("id") if isinstance(given, Mapping) else given
    if not isinstance(id, str):
        raise invalid("'conversation' must be an id, or an object with one.", "conversation")
    if project.store.get("conversation", id) is None:
        raise missing("Conversation", id)
    return id


def _previous(project: Project, id: str, user: str | None) -> list[Doc]:
    doc = project.store.get("response", id)
    if doc is None:
        raise invalid(
            f"Previous response with id '{id}' not found.",
            "previous_response_id",
            "previous_response_not_found",
        )
    doc = project.responses.find(id, user)
    if doc["status"] not in ENDED:
        raise invalid(f"Previous response '{id}' is not finished yet.", "previous_response_id")
    return project.responses.history(id)


def _resolved(project: Project, item: Doc, history: list[Doc]) -> Doc:
    """The item that an `item_reference` names, anything else as it is."""
    if item["type"] != "item_reference":
        return item
    stored = history or []
    for known in stored:
        if known.get("id") == item["id"]:
            return known
    for doc in project.store.all("response"):
        for known in [*doc["_given"], *doc["output"]]:
            if known.get("id") == item["id"]:
                found: Doc = known
                return found
    raise missing("Item", item["id"])


def _check_files(project: Project, given: list[Doc]) -> None:
    """Files that messages name exist."""
    for item in given:
        for part in item["content"] if item["type"] == "message" else ():
            id = part.get("file_id")
            if id is not None and project.store.get("file", id) is None:
                raise invalid(f"No file found with id '{id}'.", "input")


def _session(
    project: Project,
    body: Mapping[str, Any],
    definition: Mapping[str, Any],
    previous: str | None,
    conversation: str | None,
) -> str | None:
    """The session of a hosted agent: the one asked for, the one it continues, or a new one."""
    if definition.get("kind") != "hosted":
        return None
    if body.get("agent_session_id"):
        return str(body["agent_session_id"])
    for doc in reversed(project.store.all("response")):
        continues = doc["id"] == previous or (
            conversation is not None and (doc["conversation"] or {}).get("id") == conversation
        )
        if continues and doc["agent_session_id"]:
            return str(doc["agent_session_id"])
    return new_id("sess_")
