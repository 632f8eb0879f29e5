"""The answer as delivered so far, for both protocols: what arrives becomes deltas, each part once.

A machine tells it what the service says, as often as the service repeats it (deltas, the finished
message, the list of messages asked for after a broken stream); the answer gives out only what has
not been given out yet. It also knows where in the delivered text each service text part begins, so
that citations point to positions in the text that the client has.

What needs a request (names of cited files, images to be given inline) is in `needs`; the turn asks
for it when the text is complete, so that no text waits, and tells it with `name_file`,
`inline_image` or `image_reference`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.deltas import Delta, ToolCallDelta, Usage
from ..core.json_values import split_half, whole
from ..core.media import is_picture
from .citations import Citations, Footnotes, Mode
from .passages import Passage
from .run_steps import RunSteps, merge

__all__ = ["SEPARATOR", "Answer", "Delta", "Needs", "ToolCallDelta", "Usage"]

SEPARATOR = "\n\n"
"""Between two messages, or two text parts, of one answer: chat completions have one text."""


@dataclass(slots=True)
class Needs:
    """What the answer lacks until a request has brought it."""

    names: dict[str, str | None] = field(default_factory=dict)
    """Files whose names are not known, with the container in which each is, if it is in one."""
    images: dict[str, str | None] = field(default_factory=dict)
    """Images to be given inline, likewise."""


@dataclass(slots=True)
class _Call:
    index: int
    arguments: int = 0


class Answer:
    """Collects what the service says and gives out deltas with `take`.

    ``file_url`` gives the address of a file's content (by the ids of file and container), for files
    and images by reference.
    """

    def __init__(
        self,
        *,
        citations: Mode = "keep",
        inline_images: bool = False,
        file_url: Callable[[str, str | None], str] | None = None,
    ) -> None:
        self.ids: dict[str, str] = {}
        self.names: dict[str, str | None] = {}
        """File names by id, as far as asked for; None where the service gave none."""
        self.steps = RunSteps(self._trace)
        self._mode: Mode = citations
        self._inline_images = inline_images
        self._file_url = file_url
        self._pending: list[Delta] = []
        self._texts: dict[Hashable, Passage] = {}
        self._open: Hashable = None  # the part that text came for last
        self._unsettled: set[Hashable] = set()  # parts that hold text or annotations back
        self._streams: dict[Hashable, int] = {}  # reasoning, refusals: characters received
        self._halves: dict[Hashable, str] = {}  # see split_half
        self._calls: dict[Hashable, _Call] = {}
        self._once: set[Hashable] = set()
        self._delivered = 0
        self._footnotes = Footnotes() if citations == "footnotes" else None
        self._files: list[dict[str, Any]] = []
        self._images = 0
        self._image_files: list[dict[str, Any]] = []
        self._made: dict[str, dict[str, Any]] = {}  # images that are files: entries by file id
        self._wanted_images: list[str] = []

    # -- out -----------------------------------------------------------------------------------

    def take(self) -> list[Delta]:
        """What is new since the last call; text that arrived together is one delta."""
        if self._unsettled:
            self._settle()
        pending, self._pending = self._pending, []
        for delta in pending:
            if not delta.is_only_text() or delta.fields:
                _make_whole(delta)
        return pending

    # -- ids -----------------------------------------------------------------------------------

    def know(self, **ids: Any) -> None:
        """Remember ids, if they are some; they ride on every chunk from now on."""
        for name, value in ids.items():
            if value and isinstance(value, str) and value.isascii():
                self.ids[name] = value

    def announce(self) -> None:
        """A first chunk that carries the ids alone."""
        self._pending.append(Delta())

    # -- text ----------------------------------------------------------------------------------

    def text(self, part: Hashable, piece: str) -> None:
        """``piece`` continues the text part ``part``."""
        piece = self._whole_characters(("text", part), piece)
        text = self._part(part)
        if part != self._open:
            self._release(self._open)
            self._open = part
        text.received += len(piece)
        text.pieces.append(piece)
        if text.citations is not None:
            piece = text.citations.feed(piece)
            self._unsettled.add(part)
        if piece:
            self._deliver(text, piece)

    def whole_text(self, part: Hashable, full: str) -> None:
        """The part is complete and reads ``full``: what deltas did not bring is given now."""
        text = self._part(part)
        full = self._all_of(("text", part), full)
        if len(full) > text.received:
            self.text(part, full[text.received :])
        text.complete = True
        if text.citations is not None or text.annotations:
            self._unsettled.add(part)

    def _whole_characters(self, key: Hashable, piece: str) -> str:
        """``piece`` of a stream of text, from the half character that the last one ended with."""
        if not self._halves and piece.isascii():
            return piece
        piece, half = split_half(self._halves.pop(key, "") + piece)
        if half:
            self._halves[key] = half
        return piece

    def _all_of(self, key: Hashable, full: str) -> str:
        """All of a stream of text, in whole characters."""
        self._halves.pop(key, None)
        return str(whole(full))

    def _part(self, part: Hashable) -> Passage:
        text = self._texts.get(part)
        if text is None:
            text = self._texts[part] = Passage()
            if self._mode != "keep":
                text.citations = Citations(self._footnotes, part, text.citing)
        return text

    def _release(self, part: Hashable) -> None:
        """Give out what the part holds back: nothing of it comes any more."""
        text = self._texts.get(part)
        if text is not None and text.citations is not None:
            rest = text.citations.release()
            if rest:
                self._deliver(text, rest)

    def _deliver(self, text: Passage, piece: str) -> None:
        if text.start < 0:
            if self._delivered:
                self._append_text(SEPARATOR)
            text.start = self._delivered
        self._append_text(piece)

    def _append_text(self, piece: str) -> None:
        self._delivered += len(piece)
        if self._pending and self._pending[-1].is_only_text():
            self._pending[-1].text += piece
        else:
            self._pending.append(Delta(text=piece))

    def reasoning(self, part: Hashable, piece: str) -> None:
        """``piece`` continues a text of the model's reasoning."""
        self._stream(("reasoning", part), "reasoning", piece)

    def whole_reasoning(self, part: Hashable, full: str) -> None:
        self._whole_stream(("reasoning", part), "reasoning", full)

    def refusal(self, part: Hashable, piece: str) -> None:
        """``piece`` continues a refusal."""
        self._stream(("refusal", part), "refusal", piece)

    def whole_refusal(self, part: Hashable, full: str) -> None:
        self._whole_stream(("refusal", part), "refusal", full)

    def _whole_stream(self, key: Hashable, kind: str, full: str) -> None:
        full = self._all_of(key, full)
        self._stream(key, kind, full[self._streams.get(key, 0) :])

    def _stream(self, key: Hashable, kind: str, piece: str) -> None:
        piece = self._whole_characters(key, piece)
        if not piece:
            return
        if key not in self._streams:
            if any(other[0] == kind for other in self._streams if isinstance(other, tuple)):
                self._pending.append(_delta_of(kind, SEPARATOR))
            self._streams[key] = 0
        self._streams[key] += len(piece)
        last = self._pending[-1] if self._pending else None
        if last is not None and getattr(last, kind):
            setattr(last, kind, getattr(last, kind) + piece)
        else:
            self._pending.append(_delta_of(kind, piece))

    # -- citations -----------------------------------------------------------------------------

    def annotation(self, part: Hashable, number: Hashable, annotation: Mapping[str, Any]) -> None:
        """An annotation in OpenAI's nested form, with positions in the service's text part.

        ``number`` tells apart the annotations of a part; a repeated one is given out once, and as
        complete as it came: until its part is complete, one that lacks something is held back.
        """
        text = self._part(part)
        known = text.annotate(number, annotation)
        if known is None:
            return
        self._unsettled.add(part)
        if self._footnotes is not None:
            self._footnotes.learn(part, known.inner.get("text"), known.value)
        if text.citations is not None:
            piece = text.citations.feed("")  # a footnote may have waited for this
            if piece:
                self._deliver(text, piece)

    def _settle(self) -> None:
        for part in list(self._unsettled):
            text = self._texts[part]
            if text.complete:
                self._release(part)
            if self._give_annotations(text) and (text.complete or text.citations is None):
                self._unsettled.discard(part)

    def _give_annotations(self, text: Passage, *, anyway: bool = False) -> bool:
        """Give out, in order, the annotations that are ready; whether none is left."""
        for annotation, span in text.ready(self.names, anyway=anyway):
            annotation.given = True
            self._give(annotation.value["type"], annotation.inner, text, span)
        return all(annotation.given for annotation in text.annotations.values())

    def _give(
        self, kind: str, inner: dict[str, Any], text: Passage, span: tuple[int, int] | None
    ) -> None:
        placed = dict(inner)
        if span is not None:
            start, end = text.place(span, self._delivered)
            placed |= {"start_index": start, "end_index": end}
        if kind == "url_citation":
            # OpenAI's form has these four only; a client shows the title, so there is always one.
            placed.pop("text", None)
            placed["title"] = placed.get("title") or placed.get("url") or ""
        file_id = placed.get("file_id")
        if file_id:
            name = placed.get("filename") or self.names.get(file_id)
            if name:
                placed["filename"] = name
            if span is not None and span[0] < span[1] and not placed.get("text"):
                placed["text"] = text.so_far()[slice(*span)]
        self._pending.append(Delta(annotations=[{"type": kind, kind: placed}]))
        if kind == "container_file_citation" and file_id and is_picture(placed.get("filename")):
            self.image_file(file_id, placed.get("container_id"), placed["filename"])
        elif kind in ("file_path", "container_file_citation") and file_id:
            self._file(placed)

    # -- files and images ----------------------------------------------------------------------

    @property
    def needs(self) -> Needs:
        """What is to be asked for before the answer can be finished."""
        names = {
            inner["file_id"]: inner.get("container_id")
            for part in self._unsettled
            for annotation in self._texts[part].annotations.values()
            if not annotation.given
            and (inner := annotation.inner).get("file_id")
            and not inner.get("filename")
            and inner["file_id"] not in self.names
        }
        images = {id: self._made[id].get("container_id") for id in self._wanted_images}
        return Needs(names, images)

    def name_file(self, file_id: str, name: str | None) -> None:
        """What the service calls a file; None if it does not say."""
        self.names[file_id] = whole(name)

    def _file(self, placed: Mapping[str, Any]) -> None:
        """A file that the agent made is listed, once; the list on the last such chunk has all."""
        file_id = placed["file_id"]
        if self.first_time(("file", file_id)):
            entry = {"file_id": file_id, "filename": placed.get("filename")}
            self._address(entry, placed.get("container_id"))
            self._files.append(entry)
            self._pending.append(Delta(fields={"files": list(self._files)}))

    def _address(self, entry: dict[str, Any], container_id: str | None) -> None:
        """Say where a file is to be fetched."""
        if container_id:
            entry["container_id"] = container_id
        if self._file_url is not None:
            entry["url"] = self._file_url(entry["file_id"], container_id or None)

    def image(self, key: Hashable, image: Mapping[str, Any]) -> None:
        """An image in the form of LiteLLM's image-output models, once."""
        if self.first_time(("image", key)):
            self._pending.append(Delta(images=[{**image, "index": self._images}]))
            self._images += 1

    def image_file(
        self, file_id: str, container_id: str | None = None, filename: str | None = None
    ) -> None:
        """An image that the agent made, as a file of the service; once."""
        if self.first_time(("image file", file_id)):
            entry = self._made[file_id] = {"file_id": file_id}
            if filename:
                entry["filename"] = filename
            self._address(entry, container_id)
            if self._inline_images:
                self._wanted_images.append(file_id)
            else:
                self.image_reference(file_id)

    def images_of(self, container_id: str) -> int:
        """How many images the answer knows as files of a container."""
        return sum(entry.get("container_id") == container_id for entry in self._made.values())

    def image_reference(self, file_id: str, note: str | None = None) -> None:
        """Where to fetch an image; ``note`` says why it is not inline although it should be."""
        if file_id in self._wanted_images:
            self._wanted_images.remove(file_id)
        entry = self._made[file_id]
        self._image_files.append({**entry, "note": note} if note else entry)
        self._pending.append(Delta(fields={"image_files": list(self._image_files)}))

    def inline_image(self, file_id: str, media_type: str, data: bytes) -> None:
        """The bytes of an image that was wanted."""
        if file_id in self._wanted_images:
            self._wanted_images.remove(file_id)
        url = f"data:{media_type};base64,{base64.b64encode(data).decode()}"
        self.image(file_id, {"type": "image_url", "image_url": {"url": url}})

    # -- fields --------------------------------------------------------------------------------

    def fields(self, **fields: Any) -> None:
        """Provider-specific fields, on a chunk of their own."""
        self._pending.append(Delta(fields=fields))

    def _trace(self, entries: list[dict[str, Any]]) -> None:
        """Entries of run_steps; what arrives together is one chunk."""
        last = self._pending[-1] if self._pending else None
        if last is None or not last.fields.get("run_steps"):
            self._pending.append(Delta(fields={"run_steps": entries}))
            return
        known = last.fields["run_steps"]
        for entry in entries:
            if known[-1]["id"] == entry["id"] and "delta" in known[-1] and "delta" in entry:
                merged: dict[str, Any] = {}
                merge(merged, known[-1]["delta"])
                merge(merged, entry["delta"])
                known[-1] = {**known[-1], "delta": merged}
            else:
                known.append(entry)

    def first_time(self, key: Hashable) -> bool:
        """Whether ``key`` was not seen before; for what the service repeats."""
        if key in self._once:
            return False
        self._once.add(key)
        return True

    # -- tool calls ----------------------------------------------------------------------------

    def tool_call(self, key: Hashable, *, id: str, name: str) -> None:
        """A function call begins. ``key`` names it for its later pieces; repeats are ignored."""
        if key not in self._calls:
            call = self._calls[key] = _Call(index=len(self._calls))
            begun = ToolCallDelta(index=call.index, id=id, name=name)
            self._pending.append(Delta(tool_call=begun))

    def tool_arguments(self, key: Hashable, piece: str) -> None:
        """``piece`` continues the arguments of the call ``key``."""
        call = self._calls.get(key)
        piece = self._whole_characters(("call", key), piece)
        if call is None or not piece:
            return
        call.arguments += len(piece)
        last = self._pending[-1] if self._pending else None
        if last is not None and last.tool_call and last.tool_call.index == call.index:
            last.tool_call.arguments += piece
        else:
            self._pending.append(Delta(tool_call=ToolCallDelta(call.index, arguments=piece)))

    def whole_tool_call(self, key: Hashable, *, id: str, name: str, arguments: str) -> None:
        """The call is complete: what was not given out of it yet is given now."""
        self.tool_call(key, id=id, name=name)
        arguments = self._all_of(("call", key), arguments)
        self.tool_arguments(key, arguments[self._calls[key].arguments :])

    # -- the end -------------------------------------------------------------------------------

    def finish(self, reason: str, *, usage: Usage | None, model: str | None) -> None:
        """The answer is complete. Usage goes on a chunk before the last (protocols D5)."""
        self.steps.close()
        for part, text in self._texts.items():
            self._release(part)
            self._give_annotations(text, anyway=True)
        self._unsettled.clear()
        for file_id in list(self._wanted_images):
            self.image_reference(file_id)
        if self._footnotes is not None and self._footnotes.sources:
            self._append_text(SEPARATOR + self._footnotes.listing(self.names))
        if usage is not None:
            self._pending.append(Delta(usage=usage, service_model=model))
        self._pending.append(Delta(finish_reason=reason, service_model=model))


def _make_whole(delta: Delta) -> None:
    """Text is whole already; what else a service says may have half characters in it."""
    delta.images, delta.fields = whole(delta.images), whole(delta.fields)
    if delta.tool_call is not None:
        delta.tool_call.id = whole(delta.tool_call.id)
        delta.tool_call.name = whole(delta.tool_call.name)


def _delta_of(kind: str, piece: str) -> Delta:
    delta = Delta()
    setattr(delta, kind, piece)
    return delta
