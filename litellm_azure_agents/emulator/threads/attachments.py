"""Files attached to messages for file search: they join the thread's own vector store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core.store import Doc
from ..project import Project


def index_attachments(
    project: Project, thread: Doc, attachments: Sequence[Mapping[str, Any]]
) -> None:
    """Make files attached for file search searchable in this thread; the thread is updated."""
    for attachment in attachments:
        searched = any(tool["type"] == "file_search" for tool in attachment["tools"])
        id = attachment.get("file_id") or project.vectors.asset(attachment.get("data_source"))
        if searched and id:
            project.vectors.attach_to_thread(thread, id)
