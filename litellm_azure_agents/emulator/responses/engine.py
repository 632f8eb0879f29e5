"""All responses of a project: their state, the lock of conversations, cancelling, recovery.

queued (background only) -> in_progress -> completed | incomplete | failed | cancelled

One task a response. A background one runs on whatever happens to connections; a foreground one is
stopped when the connection that waits for it goes (`release`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..core.errors import ApiError
from ..core.events import EventLog
from ..core.ids import now
from ..core.routing import invalid, missing
from ..core.settings import KEPT_FINISHED_RUNS, Settings
from ..core.store import Doc, Store
from ..engine.live import Stop
from ..engine.toolbox import Toolbox
from ..files.containers import Containers
from ..files.vector_stores import VectorStores
from ..models.base import Brain, OutputFile
from .objects import ENDED, usage_object
from .rounds import LiveResponse, ResponseRounds
from .writer import ResponseWriter

logger = logging.getLogger(__name__)


@dataclass
class Plan:
    """A response to begin, once everything about its request is in order."""

    response: Doc
    given: list[Doc]
    history: list[Doc] = field(default_factory=list)
    metadata: Mapping[str, str] = field(default_factory=dict)
    include: Sequence[str] = ()
    user: str | None = None
    stream: bool = False


class Responses:
    """The new protocol's engine."""

    def __init__(
        self,
        store: Store,
        brain: Brain,
        toolbox: Toolbox,
        vectors: VectorStores,
        settings: Settings,
    ) -> None:
        self.store = store
        self.settings = settings
        self.containers = Containers(store)
        self.rounds = ResponseRounds(store, brain, toolbox, vectors, self.containers)
        self.locked: dict[str, LiveResponse] = {}
        """Active responses by conversation."""
        self.recent: OrderedDict[str, LiveResponse] = OrderedDict()
        """By id: active responses, and the last finished ones (their events)."""
        self._asked = -1

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
        """The number of this request, for endpoints that share traffic between versions."""
        self._asked += 1
        return self._asked

    def find(self, id: str, user: str | None = None) -> Doc:
        """A stored response as it is now; raises the 404."""
        live = self.recent.get(id)
        if live is not None and live.response["store"]:
            doc: Doc | None = live.response
        else:
            doc = self.store.get("response", id)
        if doc is None or (doc.get("_user") is not None and user != doc["_user"]):
            raise missing("Response", id)
        return doc

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
        """Start a response; it is stored, and told in its first events, when this returns."""
        response = plan.response
        conversation = (response["conversation"] or {}).get("id")
        owner = conversation or response["previous_response_id"]
        container = self.containers.container_for(owner)
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
        live = LiveResponse(response, plan.metadata, log, writer, plan.history, plan.given)
        live.container, live.user = container, plan.user
        response["_given"] = plan.given
        response["_stream"] = plan.stream
        response["_user"] = plan.user
        if response["store"]:
            self.store.put("response", response)
        if conversation:
            self.locked[conversation] = live
        self.recent[response["id"]] = live
        self._forget_old()
        writer.created()
        live.task = asyncio.get_running_loop().create_task(self._play(live))
        return live

    def _keep(self, live: LiveResponse, file: OutputFile) -> Doc:
        conversation = (live.response["conversation"] or {}).get("id")
        owner = conversation or live.response["id"]
        citation = self.containers.keep(live.container, owner, file)
        self.containers.own(live.container, owner)
        return citation

    def _filename(self, file_id: str) -> str:
        file = self.store.get("file", file_id) or {}
        return str(file.get("filename") or file_id)

    async def cancel(self, doc: Doc) -> Doc:
        """Cancel a background response; the response as it is then."""
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

    def release(self, live: LiveResponse) -> None:
        """The connection that a foreground response was for is gone."""
        stops = self.settings.strictness.foreground_stops_on_disconnect
        if stops and not live.response["background"]:
            self._end(live, "cancelled")

    def delete(self, doc: Doc) -> None:
        """Forget a response; its items in a conversation stay."""
        if doc["status"] not in ENDED:
            raise invalid("Cannot delete a response that is in progress.", "response_id")
        self.recent.pop(doc["id"], None)
        self.store.delete("response", doc["id"])

    def replay(self, doc: Doc) -> EventLog:
        """The events of a background response made with stream=true."""
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
        return live.log

    def recover(self) -> None:
        """At start: responses that a crash interrupted are failed, with a reason."""
        error = {
            "code": "server_error",
            "message": "The emulator was restarted while the response was in progress.",
        }
        with self.store.transaction():
            for doc in self.store.all("response"):
                if doc["status"] not in ENDED:
                    doc.update(status="failed", error=error, usage=usage_object())
                    self.store.put("response", doc)

    async def shutdown(self) -> None:
        """End all tasks and streams without finishing the responses."""
        lives = [live for live in self.recent.values() if not live.finished.is_set()]
        for live in lives:
            self._end(live, "shutdown")
        await asyncio.gather(*(live.task for live in lives if live.task), return_exceptions=True)
        for live in self.recent.values():
            live.log.close()

    def clear(self) -> None:
        """Forget everything in memory."""
        self.recent.clear()
        self.locked.clear()

    # ---- a response's life

    def _end(self, live: LiveResponse, why: str) -> None:
        if live.task is not None and not live.finished.is_set():
            live.end = why
            live.task.cancel()

    async def _play(self, live: LiveResponse) -> None:
        writer = live.writer
        status, fields = "completed", {}
        try:
            await asyncio.sleep(0)  # a cancellation before the first step finds us awaiting
            writer.in_progress()
            await self.rounds.play(live)
        except Stop as stop:
            status, fields = stop.status, stop.fields
        except asyncio.CancelledError:
            if live.end == "shutdown":
                live.finished.set()
                raise
            status = "cancelled"
        except ApiError as error:
            status, fields = "failed", {"error": {"code": error.code, "message": error.message}}
        except Exception as error:
            logger.exception("response %s failed", live.response["id"])
            message = str(error) or type(error).__name__
            status, fields = "failed", {"error": {"code": "server_error", "message": message}}
        self._finish(live, status, fields)

    def _finish(self, live: LiveResponse, status: str, fields: Mapping[str, Any]) -> None:
        response, writer = live.response, live.writer
        try:
            if status in ("completed", "incomplete"):
                writer.close_message(status)
            else:
                writer.stop()
            if status == "cancelled":
                response["output"].clear()
            response.update(fields, status=status, usage=writer.usage)
            if status == "completed":
                response["completed_at"] = now()
            conversation = (response["conversation"] or {}).get("id")
            with self.store.transaction():
                if response["store"]:
                    self.store.put("response", response)
                if conversation and self.store.get("conversation", conversation):
                    self._append(live, conversation, status)
            if conversation and self.locked.get(conversation) is live:
                del self.locked[conversation]
            writer.finish(status)
        finally:
            live.finished.set()

    def _append(self, live: LiveResponse, conversation: str, status: str) -> None:
        """Input and output join the conversation once the response has come to an answer."""
        kept = status in ("completed", "incomplete")
        if kept or self.settings.strictness.failed_responses_keep_input:
            for item in live.given:
                if item["type"] != "item_reference":
                    self.store.put("conversation_item", item, conversation)
        if kept:
            for item in live.response["output"]:
                self.store.put("conversation_item", item, conversation)

    def _forget_old(self) -> None:
        """Bound the events kept of finished responses."""
        surplus = len(self.recent) - KEPT_FINISHED_RUNS
        for id, live in list(self.recent.items()):
            if surplus <= 0:
                break
            if live.finished.is_set():
                del self.recent[id]
                surplus -= 1
