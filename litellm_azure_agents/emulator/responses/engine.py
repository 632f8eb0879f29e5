"""All responses of a project: their state, the lock of conversations, cancelling, recovery.

queued (background only) -> in_progress -> completed | incomplete | failed | cancelled

One task a response. A background one is independent of connections; a foreground one is cancelled
when the connection that waits for it closes (`disconnected`).
"""

from __future__ import annotations

from ..core.errors import invalid, missing
from ..core.events import EventLog
from ..core.ids import now
from ..core.store import Doc
from ..engine.engine import Engine
from ..engine.live import Stop
from ..engine.services import Services
from ..files.containers import Containers
from ..models.base import OutputFile
from .live import LiveResponse
from .objects import ENDED, session_object, usage_object
from .plan import Plan
from .rounds import ResponseRounds
from .writer import ResponseWriter


class Responses(Engine[LiveResponse]):
    """The new protocol's engine."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.containers = Containers(self.store)
        self.rounds = ResponseRounds(services, self.containers)
        self.locked: dict[str, LiveResponse] = {}
        """Active responses by conversation."""
        self._requests = -1

    # ---- what routes call

    def refuse_if_locked(self, conversation: str) -> None:
        """Raise the service's 400 while a response is active in the conversation."""
        if conversation in self.locked:
            raise invalid(
                "Another process is currently operating on this conversation. Please retry in a"
                " few seconds.",
                "conversation",
                "conversation_locked",
            )

    def count(self) -> int:
        """Count a request to an agent's own endpoint, which may share traffic among versions."""
        self._requests += 1
        return self._requests

    def find(self, id: str, user: str | None = None) -> Doc:
        """A stored response as it is now. Raises the 404, also for another user's response."""
        live = self.recent.get(id)
        if live is not None and live.response["store"]:
            doc: Doc | None = live.response
        else:
            doc = self.store.get("response", id)
        if doc is None or (doc.get("_user") is not None and user != doc["_user"]):
            raise missing("Response", id)
        return doc

    def listed(
        self, *, user: str | None, agent_name: str | None, conversation: str | None
    ) -> list[Doc]:
        """The stored responses of a user, oldest first; those that run too."""
        found = {doc["id"]: doc for doc in self.store.all("response")}
        found |= {id: live.response for id, live in self.recent.items() if live.response["store"]}
        return [
            doc
            for doc in found.values()
            if doc.get("_user") in (None, user)
            and agent_name in (None, (doc["agent_reference"] or {}).get("name"))
            and conversation in (None, (doc["conversation"] or {}).get("id"))
        ]

    def history(self, id: str) -> list[Doc]:
        """The items up to and with a stored response, oldest first."""
        chain: list[Doc] = []
        next_id: str | None = id
        while next_id and (doc := self.store.get("response", next_id)) is not None:
            chain.append(doc)
            if doc["conversation"]:
                break
            next_id = doc["previous_response_id"]
        items: list[Doc] = []
        for doc in reversed(chain):
            if doc["conversation"]:
                items += self._conversation_until(doc)
            else:
                items += [*doc["_given"], *doc["output"]]
        return items

    def _conversation_until(self, doc: Doc) -> list[Doc]:
        items = self.store.all("conversation_item", doc["conversation"]["id"])
        own = [n for n, item in enumerate(items) if item.get("response_id") == doc["id"]]
        return items[: own[-1] + 1] if own else [*doc["_given"], *doc["output"]]

    def begin(self, plan: Plan) -> LiveResponse:
        """Start a response. When this returns it is stored, and its first events are in the log."""
        response = plan.response
        log = EventLog()
        writer = ResponseWriter(
            log,
            response,
            keep=lambda file: self._keep(live, file),
            filename=self._filename,
            cite=self.containers.citation,
            include=plan.include,
            utf16_indices=self.settings.strictness.utf16_indices,
        )
        live = LiveResponse(
            response,
            log,
            plan.version["metadata"] if plan.version is not None else {},
            [],
            writer,
            plan.history,
            plan.given,
            container="",
        )
        owner = live.conversation or response["previous_response_id"]
        live.container = self.containers.container_for(owner)
        response.update(_given=plan.given, _stream=plan.stream, _user=plan.user)
        self._open_session(plan)
        if response["store"]:
            self.store.put("response", response)
        if live.conversation:
            self.locked[live.conversation] = live
        self._remember(live)
        writer.created()
        self._start(live)
        return live

    def _open_session(self, plan: Plan) -> None:
        """Create the session of a hosted agent if it is a new one."""
        id, version = plan.response["agent_session_id"], plan.version
        if id and version and not self.store.get("session", id, version["name"]):
            session = session_object(id, version["version"])
            self.store.put("session", session, version["name"])

    def _keep(self, live: LiveResponse, file: OutputFile) -> Doc:
        """Store a file that the agent made in its container; returns the citation."""
        owner = live.conversation or live.response["id"]
        citation = self.containers.keep(live.container, owner, file)
        self.containers.own(live.container, owner)
        return citation

    def _filename(self, file_id: str) -> str:
        file = self.store.get("file", file_id) or {}
        return str(file.get("filename") or file_id)

    async def cancel(self, doc: Doc) -> Doc:
        """Cancel a background response; returns it cancelled. Raises the 400 if it can't be."""
        if not doc["background"]:
            raise invalid("Cannot cancel a synchronous response.", "response_id")
        if doc["status"] == "cancelled":
            return doc
        if doc["status"] in ENDED:
            raise invalid(f"Cannot cancel a {doc['status']} response.", "response_id")
        live = self.recent[doc["id"]]
        self._end(live, "cancelled")
        await live.finished.wait()
        return live.response

    def disconnected(self, live: LiveResponse) -> None:
        """The client of a response is gone: a foreground response may end with it."""
        stops = self.settings.strictness.foreground_stops_on_disconnect
        if stops and not live.response["background"]:
            self._end(live, "cancelled")

    def delete(self, doc: Doc) -> None:
        """Delete a response; a conversation keeps its items. Raises the 400 while it is active."""
        if doc["status"] not in ENDED:
            raise invalid("Cannot delete a response that is in progress.", "response_id")
        self.recent.pop(doc["id"], None)
        self.store.delete("response", doc["id"])

    def replay(self, doc: Doc) -> LiveResponse:
        """A background response whose events are kept. Raises the 400 if there are none."""
        if not doc["background"]:
            raise invalid(
                "This response cannot be streamed because it was not created with background=true.",
                "stream",
            )
        if not doc["_stream"]:
            raise invalid(
                "This response cannot be streamed because it was not created with stream=true.",
                "stream",
            )
        live = self.recent.get(doc["id"])
        if live is None:
            raise invalid("The events of this response are not kept any more.", "stream")
        return live

    def recover(self) -> None:
        """At start: fail the responses that a crash interrupted."""
        error = {
            "code": "server_error",
            "message": "The emulator was restarted while the response was in progress.",
        }
        with self.store.transaction():
            for doc in self.store.all("response"):
                if doc["status"] not in ENDED:
                    doc.update(status="failed", error=error, usage=usage_object())
                    self.store.put("response", doc)

    def clear(self) -> None:
        """Forget all responses in memory."""
        super().clear()
        self.locked.clear()

    # ---- a response's life

    async def _play(self, live: LiveResponse) -> None:
        live.writer.in_progress()
        await self.rounds.play(live)

    def _finish(self, live: LiveResponse, end: Stop) -> None:
        response, writer, status = live.response, live.writer, end.status
        if status in ("completed", "incomplete"):
            writer.close_message(status)
        else:
            writer.stop()
        if status == "completed":
            response["completed_at"] = now()
        elif status == "incomplete":
            filtered = end.reason == "content_filter"
            reason = "content_filter" if filtered else "max_output_tokens"
            response["incomplete_details"] = {"reason": reason}
        elif status == "failed":
            response["error"] = end.error
        else:
            response["output"].clear()
        response.update(status=status, usage=writer.usage)
        with self.store.transaction():
            if response["store"]:
                self.store.put("response", response)
            if live.conversation and self.store.get("conversation", live.conversation):
                self._append(live, live.conversation, status)
        writer.finish(status)

    def _release(self, live: LiveResponse) -> None:
        if live.conversation and self.locked.get(live.conversation) is live:
            del self.locked[live.conversation]

    def _append(self, live: LiveResponse, conversation: str, status: str) -> None:
        """Add input and output to the conversation if the response has an answer."""
        kept = status in ("completed", "incomplete")
        if kept or self.settings.strictness.failed_responses_keep_input:
            for item in live.given:
                if item["type"] != "item_reference":
                    self.store.put("conversation_item", item, conversation)
        if kept:
            for item in live.response["output"]:
                self.store.put("conversation_item", item, conversation)
