"""The answer of one call, for both protocols: what the service says becomes deltas, each once.

A machine passes on what the service says, as often as the service repeats it: deltas, the finished
message, the list of messages that is read after a broken stream. The answer gives out only what has
not been given out yet. It also knows where each text part of the service begins in the text that
the client has, so that citations point to the right positions.

What takes a request (the names of cited files, images to be given inline) is in `needs`. The turn
asks for it once the text is complete, so that no text waits, and hands it in with `name_file`,
`artifacts.inline_image` or `artifacts.image_reference`.

This is one module because all that is given out is put into one order: texts, reasoning, calls
and citations share the delta that is pending and the length of the text so far.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..core.deltas import Delta, ToolCallDelta, Usage
from ..core.json_values import JsonObject, same_json, whole
from ..core.media import is_picture
from .artifacts import Artifacts, FileUrl
from .citations import Citations, Footnotes, Mode
from .documents import Documents, lacks_address
from .passages import Annotation, Passage, Span
from .received import Received
from .run_steps import RunSteps, merge

MAX_MERGED = 1 << 16
"""Characters of a delta to which more that arrived with it is added. Every addition copies them."""
SEPARATOR = "\n\n"
"""Between two messages, or two text parts, of one answer: chat completions have one text."""
Aside = Literal["reasoning", "refusal"]
"""Texts that stand beside the answer's text."""


@dataclass(slots=True)
class Needs:
    """What takes a request before the answer can be finished.

    ``names`` and ``images`` map a file id to the container that holds the file, or None if none
    does. ``addresses`` says whether a citation has the number of a document that a search found
    and the search's output has not come.
    """

    names: dict[str, str | None] = field(default_factory=dict)
    images: dict[str, str | None] = field(default_factory=dict)
    addresses: bool = False


@dataclass(slots=True)
class _ToolCall:
    index: int
    id: str
    arguments: Received


class Answer:
    """Collects what the service says; `take` returns the deltas that are new.

    ``whole`` is for a caller who wants the complete answer: texts then wait for their finished
    forms. ``file_url`` gives the address of a file's content, for files and images by reference.
    ``ids`` is filled with the ids that become known. ``seal`` makes a call's id the client's.
    """

    def __init__(
        self,
        *,
        ids: dict[str, str] | None = None,
        citations: Mode = "keep",
        inline_images: bool = False,
        file_url: FileUrl | None = None,
        whole: bool = False,
        seal: Callable[[str], str] = str,
    ) -> None:
        self._seal = seal
        self.ids = {} if ids is None else ids
        self.names: dict[str, str | None] = {}
        """File names by id, as far as asked for; None where the service gave none."""
        self.steps = RunSteps(self._run_steps)
        self.artifacts = Artifacts(self._emit, inline=inline_images, file_url=file_url)
        self._documents = Documents()
        self.damaged = False
        """An event could not be read: what it said has to come from the finished objects."""
        self._whole = whole
        self._mode: Mode = citations
        self._pending: list[Delta] = []
        self._parts: dict[Hashable, Passage] = {}
        self._open: Hashable = None  # the part that text came for last
        self._alternating = False  # text of a part had to wait for an earlier part
        self._unsettled: set[Hashable] = set()  # parts that hold text or annotations back
        self._asides: dict[tuple[Aside, Hashable], Received] = {}
        self._begun: set[Aside] = set()  # kinds of which something was given out
        self._calls: dict[Hashable, _ToolCall] = {}
        self._seen: set[Hashable] = set()
        self._delivered = 0
        self._footnotes = Footnotes() if citations == "footnotes" else None
        self._doubtful = False  # whether the beginning of a new part may have been lost
        self._trusted: list[Received] = []  # texts that began since the last damage

    # -- out -----------------------------------------------------------------------------------

    def take(self) -> list[Delta]:
        """What is new since the last call; text that arrived together is one delta."""
        self.settle()
        pending, self._pending = self._pending, []
        for delta in pending:
            if not delta.is_only_text() or delta.fields:
                _repair_characters(delta)
        return pending

    def _emit(self, delta: Delta) -> None:
        self._pending.append(delta)

    # -- ids -----------------------------------------------------------------------------------

    def know(self, **ids: Any) -> None:
        """Remember ids; values that are no ASCII strings are ignored."""
        for name, value in ids.items():
            if value and isinstance(value, str) and value.isascii():
                self.ids[name] = value

    def announce(self) -> None:
        """A first chunk that carries the ids alone."""
        self._emit(Delta())

    # -- damage --------------------------------------------------------------------------------

    def damage(self) -> None:
        """An event could not be read: unfinished texts wait for their finished forms."""
        self.damaged = self._doubtful = True
        self.steps.damage()
        for received in self._trusted:
            received.damage()
        self._trusted.clear()

    def begins(self) -> None:
        """The first event of a new message or item was read: its deltas can be trusted."""
        self._doubtful = False

    @property
    def in_doubt(self) -> bool:
        """Whether a text may have a gap and its finished form has not come."""
        return self.damaged and any(r.doubtful and not r.complete for r in self._all_received())

    def _all_received(self) -> list[Received]:
        return [
            *(passage.received for passage in self._parts.values()),
            *self._asides.values(),
            *(call.arguments for call in self._calls.values()),
        ]

    def _received(self) -> Received:
        received = Received(hold=self._whole, doubtful=self._doubtful)
        if not received.doubtful:
            self._trusted.append(received)
        return received

    # -- text ----------------------------------------------------------------------------------

    def text(self, part: Hashable, piece: str) -> None:
        """``piece`` continues the text part ``part``."""
        passage = self._part(part)
        self._advance(part, passage, passage.received.add(piece))

    def whole_text(self, part: Hashable, full: str) -> None:
        """The part is complete and reads ``full``: give out what deltas did not bring."""
        passage = self._part(part)
        self._advance(part, passage, passage.received.finish(full))
        if passage.citations is not None or passage.annotations:
            self._unsettled.add(part)
        if self._alternating:
            self._catch_up()

    def _advance(self, part: Hashable, passage: Passage, piece: str) -> None:
        if not piece:
            return
        if part != self._open:
            if self._must_wait(part):
                passage.waiting += piece
                self._alternating = True
                return
            self._release(self._open)
            self._open = part
        if passage.citations is not None:
            piece = passage.citations.feed(piece)
            self._unsettled.add(part)
        if piece:
            self._deliver(passage, piece)

    def _must_wait(self, part: Hashable) -> bool:
        """Whether a part that began earlier may still get text, which comes before this part's."""
        for earlier, passage in self._parts.items():
            if earlier == part:
                return False
            if not passage.received.complete and passage.received.text:
                return True
        return False

    def _catch_up(self) -> None:
        """Give out what waited for a part that is complete now."""
        for part, passage in self._parts.items():
            if passage.waiting and not self._must_wait(part):
                piece, passage.waiting = passage.waiting, ""
                self._advance(part, passage, piece)

    def _part(self, part: Hashable) -> Passage:
        passage = self._parts.get(part)
        if passage is None:
            passage = self._parts[part] = Passage(self._received())
            if self._mode != "keep":
                passage.citations = Citations(self._footnotes, part, passage.citing)
        return passage

    def _release(self, part: Hashable) -> None:
        """Give out what the citations filter of the part holds back."""
        passage = self._parts.get(part)
        if passage is not None and passage.citations is not None:
            rest = passage.citations.release()
            if rest:
                self._deliver(passage, rest)

    def _deliver(self, passage: Passage, piece: str) -> None:
        if passage.start < 0:
            if self._delivered:
                self._append_text(SEPARATOR)
            passage.start = self._delivered
        self._append_text(piece)

    def _append_text(self, piece: str) -> None:
        self._delivered += len(piece)
        last = self._pending[-1] if self._pending else None
        if last is not None and last.is_only_text() and len(last.text) < MAX_MERGED:
            last.text += piece
        else:
            self._emit(Delta(text=piece))

    # -- reasoning and refusals ----------------------------------------------------------------

    def aside(self, kind: Aside, part: Hashable, piece: str) -> None:
        """``piece`` continues a text of the model's reasoning, or a refusal."""
        received = self._aside(kind, part)
        self._give_aside(kind, received, received.add(piece))

    def whole_aside(self, kind: Aside, part: Hashable, full: str) -> None:
        """The text is complete: give out what deltas did not bring."""
        if full or (kind, part) in self._asides:
            received = self._aside(kind, part)
            self._give_aside(kind, received, received.finish(full))

    def _aside(self, kind: Aside, part: Hashable) -> Received:
        received = self._asides.get((kind, part))
        if received is None:
            received = self._asides[kind, part] = self._received()
        return received

    def _give_aside(self, kind: Aside, received: Received, piece: str) -> None:
        if not piece:
            return
        if received.size == len(piece) and kind in self._begun:
            piece = SEPARATOR + piece  # the first piece of a further text
        self._begun.add(kind)
        last = self._pending[-1] if self._pending else None
        if last is not None and 0 < len(getattr(last, kind)) < MAX_MERGED:
            setattr(last, kind, getattr(last, kind) + piece)
        else:
            delta = Delta()
            setattr(delta, kind, piece)
            self._emit(delta)

    # -- citations -----------------------------------------------------------------------------

    def annotation(self, part: Hashable, number: Hashable, annotation: Mapping[str, Any]) -> None:
        """An annotation in OpenAI's nested form, with positions in the service's text part.

        ``number`` tells apart the annotations of a part. Each is given out once, as complete as it
        came: until its part is complete, an annotation that lacks something is held back.
        """
        passage = self._part(part)
        known = passage.annotate(number, annotation)
        if known is None:
            return
        self._documents.resolve(known.inner)
        self._unsettled.add(part)
        if self._footnotes is not None:
            self._footnotes.learn(part, known.inner.get("text"), known.value)
        if passage.citations is not None:
            piece = passage.citations.feed("")  # a footnote may have waited for this
            if piece:
                self._deliver(passage, piece)

    def search_output(self, output: Any) -> None:
        """The output of a search in an index: citations get the addresses of what it found."""
        if self._documents.found(output):
            for annotation in self._waiting():
                self._documents.resolve(annotation.inner)

    def _waiting(self) -> list[Annotation]:
        """The annotations that have not been given out."""
        return [
            annotation
            for part in self._unsettled
            for annotation in self._parts[part].annotations.values()
            if not annotation.given
        ]

    def settle(self) -> None:
        """Put what is ready of citations in line, so that `needs` has the files that they cite."""
        for part in list(self._unsettled):
            passage = self._parts[part]
            if passage.received.complete:
                self._release(part)
            if self._give_annotations(passage) and (
                passage.received.complete or passage.citations is None
            ):
                self._unsettled.discard(part)

    def _give_annotations(self, passage: Passage, *, anyway: bool = False) -> bool:
        """Give out, in order, the annotations that are ready; whether none is left."""
        if passage.waiting:
            return False  # their places in the answer are not known
        for annotation, span in passage.ready(self.names, anyway=anyway):
            annotation.given = True
            self._give(annotation, passage, span)
        return all(annotation.given for annotation in passage.annotations.values())

    def _give(self, annotation: Annotation, passage: Passage, span: Span | None) -> None:
        kind, placed = annotation.value["type"], dict(annotation.inner)
        if passage.received.revised:  # positions in a text that the client doesn't have
            placed.pop("start_index", None)
            placed.pop("end_index", None)
        if span is not None:
            start, end = passage.place(span, self._delivered)
            placed |= {"start_index": start, "end_index": end}
        if kind == "url_citation":
            # OpenAI's form has these four only; a client shows the title, so there is always one.
            placed.pop("text", None)
            placed["title"] = placed.get("title") or placed.get("url") or ""
        file_id = placed.get("file_id")
        if file_id:
            filename = placed.get("filename") or self.names.get(file_id)
            if filename:
                placed["filename"] = filename
            if span is not None and span[0] < span[1] and not placed.get("text"):
                placed["text"] = passage.received.text[slice(*span)]
        self._emit(Delta(annotations=[{"type": kind, kind: placed}]))
        container, filename = placed.get("container_id"), placed.get("filename")
        if kind == "container_file_citation" and file_id and is_picture(filename):
            self.artifacts.image_file(file_id, container, filename)
        elif kind in ("file_path", "container_file_citation") and file_id:
            self.artifacts.file(file_id, container, filename)

    # -- what takes a request ------------------------------------------------------------------

    @property
    def needs(self) -> Needs:
        """What is to be asked for before the answer can be finished."""
        names = {
            inner["file_id"]: inner.get("container_id")
            for annotation in self._waiting()
            if (inner := annotation.inner).get("file_id")
            and not inner.get("filename")
            and inner["file_id"] not in self.names
        }
        addresses = any(lacks_address(annotation.inner) for annotation in self._waiting())
        return Needs(names, self.artifacts.wanted, addresses)

    def name_file(self, file_id: str, name: str | None) -> None:
        """What the service calls a file; None if it does not say."""
        self.names[file_id] = whole(name)

    # -- fields --------------------------------------------------------------------------------

    def fields(self, **fields: Any) -> None:
        """Provider-specific fields, on a chunk of their own."""
        self._emit(Delta(fields=fields))

    def _run_steps(self, entries: list[JsonObject]) -> None:
        """Entries of run_steps; what arrives together is one chunk."""
        last = self._pending[-1] if self._pending else None
        if last is None or not last.fields.get("run_steps"):
            self.fields(run_steps=entries)
            return
        known = last.fields["run_steps"]
        for entry in entries:
            if known[-1]["id"] == entry["id"] and "delta" in known[-1] and "delta" in entry:
                merged: JsonObject = {}
                merge(merged, known[-1]["delta"])
                merge(merged, entry["delta"])
                known[-1] = {**known[-1], "delta": merged}
            else:
                known.append(entry)

    def first_time(self, key: Hashable) -> bool:
        """Whether ``key`` was not seen before; for what the service repeats."""
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    # -- tool calls ----------------------------------------------------------------------------

    def tool_call(self, key: Hashable, *, id: str, name: str) -> None:
        """A function call begins. ``key`` names it for its later pieces; repeats are ignored."""
        if key not in self._calls:
            id = self._seal(id)
            call = self._calls[key] = _ToolCall(len(self._calls), id, self._received())
            self._emit(Delta(tool_call=ToolCallDelta(index=call.index, id=id, name=name)))

    def tool_arguments(self, key: Hashable, piece: str) -> None:
        """``piece`` continues the arguments of the call ``key``; unknown calls are ignored."""
        call = self._calls.get(key)
        if call is not None:
            self._give_arguments(call, call.arguments.add(piece))

    def whole_tool_call(self, key: Hashable, *, id: str, name: str, arguments: str) -> None:
        """The call is complete: give out what was not given out of it yet.

        Clients read arguments as JSON, so those of a function without parameters are ``{}``.
        """
        self.tool_call(key, id=id, name=name)
        call = self._calls[key]
        if not arguments.strip():
            told = "" if call.arguments.doubtful else call.arguments.text
            arguments = told if told.strip() else call.arguments.given + "{}"
        self._give_arguments(call, call.arguments.finish(arguments))
        if call.arguments.revised and same_json(call.arguments.given, arguments):
            call.arguments.revised = False  # other white space, say

    def _give_arguments(self, call: _ToolCall, piece: str) -> None:
        if not piece:
            return
        last = self._pending[-1] if self._pending else None
        begun = last.tool_call if last is not None else None
        if begun and begun.index == call.index and len(begun.arguments) < MAX_MERGED:
            begun.arguments += piece
        else:
            self._emit(Delta(tool_call=ToolCallDelta(call.index, arguments=piece)))

    # -- the end -------------------------------------------------------------------------------

    def finish(self, reason: str, *, usage: Usage | None, model: str | None) -> None:
        """The answer is complete. Usage goes on a chunk before the last (protocols D5)."""
        self.steps.close()
        for (kind, _), received in self._asides.items():
            self._give_aside(kind, received, received.release())
        for call in self._calls.values():
            self._give_arguments(call, call.arguments.release())
        for part, passage in self._parts.items():
            piece, passage.waiting = passage.waiting + passage.received.release(), ""
            passage.received.complete = True
            self._advance(part, passage, piece)
            self._release(part)
            self._give_annotations(passage, anyway=True)
        self._unsettled.clear()
        self.artifacts.close()
        if self._footnotes is not None and self._footnotes.sources:
            self._append_text(SEPARATOR + self._footnotes.listing(self.names))
        self._tell_revisions()
        if usage is not None:
            self._emit(Delta(usage=usage, service_model=model))
        self._emit(Delta(finish_reason=reason, service_model=model))

    def _tell_revisions(self) -> None:
        """Give the finished forms of what the service changed after it had been given out.

        ``text_revised``, ``reasoning_revised`` and ``refusal_revised`` hold the whole finished
        text; ``arguments_revised`` maps the ids of calls to their finished arguments.
        """
        texts = [passage.received for passage in self._parts.values()]
        told: JsonObject = {"text_revised": _revision(texts)}
        for kind in ("reasoning", "refusal"):
            asides = [received for (other, _), received in self._asides.items() if other == kind]
            told[f"{kind}_revised"] = _revision(asides)
        told["arguments_revised"] = {
            call.id: call.arguments.text for call in self._calls.values() if call.arguments.revised
        } or None
        told = {name: value for name, value in told.items() if value is not None}
        if told:
            self.fields(**told)


def _revision(texts: list[Received]) -> str | None:
    """The finished text of all parts, if one of them was revised."""
    if not any(received.revised for received in texts):
        return None
    return SEPARATOR.join(filter(None, (received.text for received in texts)))


def _repair_characters(delta: Delta) -> None:
    """Replace half characters in all but text, which has none."""
    delta.images, delta.fields = whole(delta.images), whole(delta.fields)
    if delta.tool_call is not None:
        delta.tool_call.id = whole(delta.tool_call.id)
        delta.tool_call.name = whole(delta.tool_call.name)
