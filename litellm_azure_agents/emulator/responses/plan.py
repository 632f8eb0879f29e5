"""From a request body to the plan of a response: its agent, what it continues, its input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..core.errors import invalid, missing
from ..core.ids import new_id
from ..core.store import Doc
from .agents import fill_templates
from .checks import check_agent_fields, check_body
from .items import check_answers, read_input
from .objects import ENDED, response_object

if TYPE_CHECKING:
    from .engine import Responses


@dataclass(frozen=True)
class Plan:
    """A response to begin; everything about its request is checked."""

    response: Doc
    given: list[Doc]
    """The input."""
    history: list[Doc]
    """Items before the input."""
    version: Doc | None
    """The agent version that answers."""
    include: Sequence[str]
    user: str | None
    stream: bool


class Planner:
    """Makes plans from the requests of a project."""

    def __init__(self, responses: Responses) -> None:
        self.responses = responses
        self.store = responses.store
        self.strictness = responses.settings.strictness

    def plan(
        self,
        body: Mapping[str, Any],
        version: Doc | None,
        *,
        user: str | None = None,
        stateless: bool = False,
    ) -> Plan:
        """The response that a request asks for. Raises the 400 or 404 of a wrong request."""
        if version is not None:
            check_agent_fields(body, version["definition"], self.strictness)
        elif body.get("model") is None:
            raise invalid("Missing required parameter: 'model'.", "model")
        check_body(body, self.strictness)
        conversation = self._conversation(body.get("conversation"))
        previous = body.get("previous_response_id")
        if stateless:
            for field in ("conversation", "previous_response_id", "background"):
                if body.get(field):
                    raise invalid(f"'{field}' is not available on an application.", field)
        history = self._history(conversation, previous, user)
        given = self._input(body.get("input"), history)
        definition: Mapping[str, Any] = {}
        instructions, reference = body.get("instructions"), None
        if version is not None:
            definition = version["definition"]
            instructions = fill_templates(definition, body.get("structured_inputs"))
            reference = {
                "type": "agent_reference",
                "name": version["name"],
                "version": version["version"],
            }
        response = response_object(
            definition,
            {**body, "store": False if stateless else body.get("store")},
            instructions,
            reference,
            conversation,
            self._session(body, definition, previous, conversation),
        )
        include = body.get("include") or ()
        return Plan(response, given, history, version, include, user, bool(body.get("stream")))

    def _conversation(self, given: Any) -> str | None:
        """The id of the conversation that a body names."""
        if given is None:
            return None
        id = given.get("id") if isinstance(given, Mapping) else given
        if not isinstance(id, str):
            raise invalid("'conversation' must be an id, or an object with one.", "conversation")
        if self.store.get("conversation", id) is None:
            raise missing("Conversation", id)
        return id

    def _history(
        self, conversation: str | None, previous: str | None, user: str | None
    ) -> list[Doc]:
        """The items that the response continues."""
        if conversation is not None:
            if previous is not None:
                raise invalid(
                    "Mutually exclusive parameters: 'previous_response_id' and 'conversation'.",
                    "previous_response_id",
                    "mutually_exclusive_parameters",
                )
            self.responses.refuse_if_locked(conversation)
            return self.store.all("conversation_item", conversation)
        if previous is None:
            return []
        if self.store.get("response", previous) is None:
            raise invalid(
                f"Previous response with id '{previous}' not found.",
                "previous_response_id",
                "previous_response_not_found",
            )
        if self.responses.find(previous, user)["status"] not in ENDED:
            raise invalid(
                f"Previous response '{previous}' is not finished yet.", "previous_response_id"
            )
        return self.responses.history(previous)

    def _input(self, given: Any, history: list[Doc]) -> list[Doc]:
        """The input as items, with references replaced and files and answers checked."""
        hosted_allowed = self.strictness.hosted_items_in_input
        items = read_input(given, hosted_allowed=hosted_allowed) if given is not None else []
        if not items and not history:
            raise invalid("Missing required parameter: 'input'.", "input")
        items = [self._resolved(item, history) for item in items]
        for item in items:
            for part in item["content"] if item["type"] == "message" else ():
                id = part.get("file_id")
                if id is not None and self.store.get("file", id) is None:
                    raise invalid(f"No file found with id '{id}'.", "input")
        check_answers(history, items, approvals=self.strictness.approvals_must_be_answered)
        return items

    def _resolved(self, item: Doc, history: list[Doc]) -> Doc:
        """The item that an `item_reference` names; any other item as it is."""
        if item["type"] != "item_reference":
            return item
        for known in history:
            if known.get("id") == item["id"]:
                return known
        for doc in self.store.all("response"):
            for known in [*doc["_given"], *doc["output"]]:
                if known.get("id") == item["id"]:
                    found: Doc = known
                    return found
        raise missing("Item", item["id"])

    def _session(
        self,
        body: Mapping[str, Any],
        definition: Mapping[str, Any],
        previous: str | None,
        conversation: str | None,
    ) -> str | None:
        """A hosted agent's session: the one asked for, the one that is continued, or a new one."""
        if definition.get("kind") != "hosted":
            return None
        if body.get("agent_session_id"):
            return str(body["agent_session_id"])
        for doc in reversed(self.store.all("response")):
            continues = doc["id"] == previous or (
                conversation is not None and (doc["conversation"] or {}).get("id") == conversation
            )
            if continues and doc["agent_session_id"]:
                return str(doc["agent_session_id"])
        return new_id("sess_")
