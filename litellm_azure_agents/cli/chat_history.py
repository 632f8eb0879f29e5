"""Past chats, in the user's state folder: one file of JSON lines for each, readable by its owner.

The first line says which agent and project; each other line is a turn.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")


@dataclass(slots=True)
class Chat:
    """A chat and its turns, oldest first."""

    id: str
    agent: str
    endpoint: str
    started: float
    turns: list[dict[str, Any]] = field(default_factory=list)

    @property
    def thread_id(self) -> str | None:
        """Where the chat goes on."""
        return next((t["thread_id"] for t in reversed(self.turns) if t.get("thread_id")), None)

    @property
    def last_used(self) -> float:
        return float(max([self.started, *(turn.get("time", 0) for turn in self.turns)]))


def state_folder() -> Path:
    """Where the system keeps the state of a user's programs."""
    if given := os.environ.get("LITELLM_AZURE_AGENTS_STATE"):
        return Path(given)
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state")
    return base / "litellm-azure-agents"


class History:
    """The chats of a folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = (folder or state_folder()) / "chats"

    def begin(self, agent: str, endpoint: str) -> Chat:
        """A new chat; nothing is written before its first turn."""
        now = time.time()
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
        return Chat(f"{stamp}-{secrets.token_hex(3)}", agent, endpoint, now)

    def add(self, chat: Chat, turn: dict[str, Any]) -> None:
        """Add a turn to a chat and to its file."""
        chat.turns.append({"time": time.time(), **turn})
        path = self._folder / f"{chat.id}.jsonl"
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lines = [chat.turns[-1]]
        if not path.exists():
            head = {"agent": chat.agent, "endpoint": chat.endpoint, "started": chat.started}
            lines.insert(0, head)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
            file.write("".join(json.dumps(line) + "\n" for line in lines))

    def all(self) -> list[Chat]:
        """All chats, the one that was used last first."""
        found = [chat for chat in self._read() if chat is not None]
        return sorted(found, key=lambda chat: chat.last_used, reverse=True)

    def last(self, agent: str, endpoint: str) -> Chat | None:
        """The chat with this agent that was used last."""
        wanted = (agent, endpoint)
        return next((c for c in self.all() if (c.agent, c.endpoint) == wanted), None)

    def get(self, id: str) -> Chat | None:
        """One chat."""
        return self._load(self._folder / f"{id}.jsonl") if _ID.fullmatch(id) else None

    def delete(self, id: str) -> bool:
        """Forget a chat; its thread stays. Whether there was one."""
        if self.get(id) is None:
            return False
        (self._folder / f"{id}.jsonl").unlink()
        return True

    def _read(self) -> Iterator[Chat | None]:
        if self._folder.is_dir():
            yield from map(self._load, self._folder.glob("*.jsonl"))

    def _load(self, path: Path) -> Chat | None:
        """A chat, or None if its file is not one of ours."""
        try:
            head, *turns = [json.loads(line) for line in path.read_text().splitlines()]
            return Chat(path.stem, head["agent"], head["endpoint"], float(head["started"]), turns)
        except (OSError, ValueError, KeyError, TypeError):
            return None
