"""The place of a chat in the thread store: claimed before a turn, moved on by its answer."""

from __future__ import annotations

from collections.abc import Iterable

from ..continuity.history import Continuation
from ..continuity.thread_key import Transcript, instructions_digest, thread_key
from ..core.actions import Actions, Claim, Lost, Remember, Steps
from ..core.call import Call
from ..core.deltas import Delta

_CONTINUED = frozenset({"stop", "tool_calls", "length"})
"""How an answer ended after which the thread holds what the client has. What a filter cut off may
be missing on either side."""


class Chat:
    """A turn's use of the thread store.

    `claim` takes the thread that holds exactly the history up to the last assistant turn, so no
    other call can continue it. `move` remembers it as the holder of the history with the new
    answer. A turn that fails in between leaves the thread to nobody, unless it can say that nothing
    has reached the thread (`release`).

    Without a store, or with an id that the caller gives, nothing is claimed and nothing remembered:
    the history of such a call need not be all that its thread holds.
    """

    def __init__(
        self,
        call: Call,
        *,
        explicit: str | None,
        kept: bool = True,
        holds_instructions: bool = False,
    ) -> None:
        """``explicit`` is the caller's own id; ``kept`` is false if nothing lasts for a next turn.

        ``holds_instructions``: system messages stay in what is continued, instead of going with
        each run. A digest of them is then remembered beside the id.
        """
        self._call = call
        self._holds_instructions = holds_instructions
        self.instructions_changed = False
        """Whether what was claimed holds other system messages than the history has."""
        self._scope = None if explicit or not kept else call.chat_scope
        self._transcript = Transcript(old_functions=bool(call.params.functions))
        self._whole = False  # whether this turn's thread holds the call's messages and no more
        self._claimed: tuple[str, str] | None = None

    def claim(self, history: Continuation) -> Actions[str | None]:
        """The id under which the service holds the history, or None: then tell it the history.

        While the store can't be asked, what the ids in the history say is as good as without a
        store: `is_asked` is False then.
        """
        self._claimed = None
        if self._scope is None:
            return None
        before = self._call.messages[: history.new]
        if not before:
            self._whole = True
            return None
        key = thread_key(self._scope, before)
        found: str | Lost | None = yield Claim(key)
        if isinstance(found, Lost):
            self._scope = None
            return None
        self._whole = True
        if found is None:
            return None
        self._claimed = (key, found)
        thread, _, digest = found.partition(" ")
        if self._holds_instructions:
            self.instructions_changed = digest != instructions_digest(before)
        return thread

    @property
    def is_asked(self) -> bool:
        """Whether the store says what is known of the chat, and not the ids in the history."""
        return self._scope is not None

    def differs(self, thread: str) -> None:
        """The turn belongs to ``thread``, whatever the store says: tool results go to their run.

        It is remembered afterwards only if the store knew it as the holder of the history.
        """
        if self._claimed is None or self._claimed[1].partition(" ")[0] != thread:
            self._whole = False

    def starts_anew(self) -> None:
        """The whole history is told, to a thread of its own."""
        self._whole, self._claimed = True, None
        self.instructions_changed = False

    def add(self, deltas: Iterable[Delta]) -> None:
        """What the client gets."""
        if self._scope is not None:
            self._transcript.add(deltas)

    def move(self, thread: str | None, reason: str) -> Steps:
        """The answer is complete, and ``thread`` is what the next turn continues."""
        if self._scope is None or not self._whole or thread is None:
            return
        if self._transcript.exact and reason in _CONTINUED:
            history = [*self._call.messages, self._transcript.message()]
            digest = instructions_digest(history) if self._holds_instructions else ""
            value = f"{thread} {digest}" if digest else thread
            yield Remember(thread_key(self._scope, history), value)
        self._claimed = None

    def release(self) -> Steps:
        """The turn failed, and nothing of it has reached the thread: it can be continued still."""
        claimed, self._claimed = self._claimed, None
        if claimed is not None:
            yield Remember(*claimed)
