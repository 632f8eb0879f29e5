"""Threads and their messages: created all or nothing; attached files become searchable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core.settings import Strictness
from ..core.store import Doc, Store
from ..files.vector_stores import VectorStores
from .checks import check_messages, check_resources
from .objects import message_object, thread_object


def check_thread(body: Mapping[str, Any], param: str, store: Store, strictness: Strictness) -> None:
    """Raise the 400 or 404 of a thread that can't be created; `param` names its messages."""
    check_messages(body.get("messages") or [], param, store, strictness)
    check_resources(body.get("tool_resources"), store)


def make_thread(body: Mapping[str, Any], store: Store, vectors: VectorStores) -> Doc:
    """Create a thread with its first messages."""
    thread = thread_object(body)
    with store.transaction():
        thread["tool_resources"] = vectors.settle(thread["tool_resources"])
        store.put("thread", thread)
        add_messages(thread, body.get("messages") or [], store, vectors)
    return thread


def update_thread(
    thread: Doc, body: Mapping[str, Any], store: Store, vectors: VectorStores
) -> None:
    """Replace the fields that the body has."""
    with store.transaction():
        thread.update({name: value or {} for name, value in body.items()})
        thread["tool_resources"] = vectors.settle(thread["tool_resources"])
        store.put("thread", thread)


def delete_thread(thread_id: str, store: Store) -> None:
    """Delete a thread with its messages, runs and steps."""
    with store.transaction():
        for run in store.all("run", thread_id):
            store.delete_children("step", run["id"])
        store.delete_children("run", thread_id)
        store.delete_children("message", thread_id)
        store.delete("thread", thread_id)


def add_messages(
    thread: Doc, bodies: Sequence[Mapping[str, Any]], store: Store, vectors: VectorStores
) -> list[Doc]:
    """Append checked messages to a thread; returns them."""
    messages = []
    with store.transaction():
        for body in bodies:
            message = message_object(
                thread["id"],
                body["role"],
                body["content"],
                attachments=body.get("attachments"),
                metadata=body.get("metadata"),
            )
            store.put("message", message, thread["id"])
            for attachment in message["attachments"]:
                searched = any(tool["type"] == "file_search" for tool in attachment["tools"])
                id = attachment.get("file_id") or vectors.asset(attachment.get("data_source"))
                if searched and id:
                    vectors.attach_to_thread(thread, id)
            messages.append(message)
    return messages
