"""Who owns what: tags in metadata, sealed ids of tool calls, and what a request names by id.

Pure functions. With ``thread_isolation`` every thing that a caller makes carries a tag, a keyed
hash of who he is. An id of a tool call, which travels through the client, is sealed with the same
key, so it needs no look-up. `protocol/ownership.py` asks the service and the store for the rest.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..core.attempts import MAX_METADATA
from ..core.deltas import Delta
from ..core.json_values import Json, as_object, as_objects, as_text
from ..core.options import OptionError
from ..core.owner import OWNER_KEY, Owner, Reference
from .call_ids import seal_of, sealed, unsealed

Message = Mapping[str, Any]

_TAG_LENGTH, _SEAL_LENGTH = 32, 24
"""Hexadecimal digits: 128 and 96 bits."""


class NotOwned(ValueError):
    """A request names something that is not the caller's, or that doesn't exist."""

    def __init__(self, reference: Reference) -> None:
        super().__init__(f"there is no {reference.what} {reference.id!r}")
        self.reference = reference


def owner_of(mode: str, identity: str, secret: str) -> Owner:
    """The owner for a caller whom the proxy has authenticated; ``mode`` says by what."""
    key = hmac.digest(secret.encode(), b"litellm-azure-agents thread isolation", "sha256")
    return Owner(_digest(key, f"owner:{mode}:{identity}")[:_TAG_LENGTH], key)


def _digest(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(errors="replace"), hashlib.sha256).hexdigest()


# -- metadata ----------------------------------------------------------------------------------


def owned(metadata: Mapping[str, str] | None, owner: Owner | None) -> dict[str, str]:
    """Metadata with the owner's tag, and never with one that a caller gives.

    Raises OptionError if there is no room for the tag.
    """
    marked = {name: text for name, text in (metadata or {}).items() if name != OWNER_KEY}
    if owner is not None:
        if len(marked) >= MAX_METADATA:
            raise OptionError(
                f"metadata has {MAX_METADATA} pairs at most, and thread_isolation needs one of "
                "them; leave one out",
                "metadata",
            )
        marked[OWNER_KEY] = owner.tag
    return marked


def belongs_to(found: Json, owner: Owner) -> bool:
    """Whether the metadata of an object of the service names the owner."""
    tag = as_text(as_object(found.get("metadata")).get(OWNER_KEY))
    return hmac.compare_digest(tag.encode(), owner.tag.encode())


# -- ids of tool calls -------------------------------------------------------------------------


def sealed_id(call_id: str, owner: Owner) -> str:
    """One of our ids with the owner's seal; an id of the service's as it is."""
    return sealed(call_id, lambda text: _seal(text, owner))


def _seal(text: str, owner: Owner) -> str:
    return _digest(owner.secret, f"seal:{owner.tag}:{text}")[:_SEAL_LENGTH]


def _is_sealed(text: str, owner: Owner) -> bool:
    seal = seal_of(text) or ""
    return hmac.compare_digest(seal.encode(), _seal(unsealed(text), owner).encode())


def admit(messages: Sequence[Message], owner: Owner) -> list[Message]:
    """The messages with plain ids of the owner's calls, for the turn.

    An id without the owner's seal leads nowhere: in old history it is made one of another model's,
    so that the history is told to a new thread. Raises NotOwned for one among the results that the
    history ends in.
    """
    last = max((i for i, m in enumerate(messages) if m.get("role") == "assistant"), default=-1)
    return [_admitted(m, owner, pending=index > last) for index, m in enumerate(messages)]


def _admitted(message: Message, owner: Owner, *, pending: bool) -> Message:
    answered = as_text(message.get("tool_call_id"))
    if answered:
        if pending and seal_of(answered) is not None and not _is_sealed(answered, owner):
            raise NotOwned(Reference("tool call", answered, "messages"))
        return {**message, "tool_call_id": _plain(answered, owner)}
    calls = message.get("tool_calls")
    if isinstance(calls, (list, tuple)):
        plain = [
            {**call, "id": _plain(as_text(call.get("id")), owner)}
            if isinstance(call, Mapping)
            else call
            for call in calls
        ]
        return {**message, "tool_calls": plain}
    return message


def _plain(call_id: str, owner: Owner) -> str:
    if seal_of(call_id) is None:
        return call_id
    return unsealed(call_id) if _is_sealed(call_id, owner) else f"other_{call_id}"


# -- what a request names by id ----------------------------------------------------------------


def references_of_messages(messages: Sequence[Message]) -> Iterator[Reference]:
    """The files that messages of chat completions name."""
    for message in messages:
        for part in as_objects(message.get("content")):
            yield from _of_part(part, "messages")


def _of_part(part: Json, param: str) -> Iterator[Reference]:
    places = (part, as_object(part.get("file")), as_object(part.get("image_file")))
    for place in places:
        if as_text(place.get("file_id")):
            yield Reference("file", as_text(place["file_id"]), param)


def references_of_tools(value: Any, param: str) -> Iterator[Reference]:
    """The files, vector stores and containers that tools or their resources name, anywhere."""
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from references_of_tools(item, param)
        return
    for name, inner in as_object(value).items():
        kind = _KINDS.get(name)
        ids = inner if isinstance(inner, (list, tuple)) else [inner]
        if kind is not None:
            yield from (Reference(kind, id, param) for id in ids if as_text(id))
        if not isinstance(inner, str):
            yield from references_of_tools(inner, param)


_KINDS = {
    "file_id": "file", "file_ids": "file", "vector_store_ids": "vector store",
    "vector_store_id": "vector store", "container": "container", "container_id": "container",
}  # fmt: skip


def references_of_input(items: Any) -> Iterator[Reference]:
    """The items, files and containers that the input of a response names.

    What an answer says of files (its annotations) gives nobody access to them.
    """
    for item in as_objects(items):
        if item.get("type") == "item_reference" or set(item) == {"id"}:
            yield Reference("item", as_text(item.get("id")), "input")
        if as_text(item.get("container_id")):
            yield Reference("container", as_text(item["container_id"]), "input")
        for name in ("content", "output"):
            inner = item.get(name)
            for part in [as_object(inner), *as_objects(inner)]:
                yield from _of_part(part, "input")


# -- what an answer gives out ------------------------------------------------------------------


_NOT_GIVEN = ("file_citation", "file_search_call")
"""Where an answer names files of the agent's own: its user may read what it cites, not have it."""


def ids_given_out(value: Any, *, depth: int = 12) -> set[str]:
    """The ids of the files and containers in what the service answers that were made for it."""
    found: set[str] = set()
    if depth and isinstance(value, Mapping):
        if value.get("type") in _NOT_GIVEN:
            return found
        for name, inner in value.items():
            if name in ("file_id", "container_id") and as_text(inner):
                found.add(inner)
            elif not isinstance(inner, str):
                found |= ids_given_out(inner, depth=depth - 1)
    elif depth and isinstance(value, list):
        for inner in value:
            found |= ids_given_out(inner, depth=depth - 1)
    return found


def ids_of_delta(delta: Delta) -> set[str]:
    """The same of what a client of chat completions gets."""
    fields = delta.fields
    return ids_given_out([fields.get("files"), fields.get("image_files"), delta.annotations])


def ids_of_response(response: Json) -> set[str]:
    """The same of a response, with its output items and its session."""
    output = as_objects(response.get("output"))
    items = {as_text(item.get("id")) for item in output}
    session = as_text(response.get("agent_session_id"))
    return (ids_given_out(output) | items | {session}) - {""}


def access_key(owner: Owner, id: str) -> str:
    """The key under which a store remembers that ``id`` was given out to the owner."""
    return "azure_agents:given:" + _digest(owner.secret, f"given:{owner.tag}:{id}")
