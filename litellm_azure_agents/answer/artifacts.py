"""The files and images of an answer, each given out once, inline or by reference."""

from __future__ import annotations

import base64
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from ..core.deltas import Delta
from ..core.json_values import JsonObject

MAX_GROWING = 100
"""Entries up to which a list is given out whole each time that it grows; a longer one is given out
once more at the end. Otherwise thousands of entries would be given out millions of times."""
FileUrl = Callable[[str, str | None], str]
"""From the ids of a file and its container (or None) to the address of its content."""


class Artifacts:
    """Collects files and images; ``emit`` takes the deltas that show them.

    ``file_url`` gives the address of a file's content. With ``inline`` an image that is a file is
    wanted as bytes: it stays in `wanted` until `inline_image` or `image_reference` is called.
    """

    def __init__(
        self, emit: Callable[[Delta], None], *, inline: bool, file_url: FileUrl | None
    ) -> None:
        self._emit = emit
        self._inline = inline
        self._file_url = file_url
        self._files: dict[str, JsonObject] = {}
        self._made: dict[str, JsonObject] = {}  # images that are files: entries by file id
        self._wanted: dict[str, None] = {}
        self._references: list[JsonObject] = []
        self._images: set[Hashable] = set()

    @property
    def wanted(self) -> dict[str, str | None]:
        """Images to be given inline: file id and the container of each, if it is in one."""
        return {file_id: self._made[file_id].get("container_id") for file_id in self._wanted}

    def file(self, file_id: str, container_id: str | None, filename: str | None) -> None:
        """A file that the agent made; the list on the last such chunk has all of them."""
        if file_id not in self._files:
            entry = {"file_id": file_id, "filename": filename}
            self._files[file_id] = self._addressed(entry, container_id)
            if len(self._files) <= MAX_GROWING:
                self._emit(Delta(fields={"files": list(self._files.values())}))

    def image(self, key: Hashable, image: Mapping[str, Any]) -> None:
        """An image in the form of LiteLLM's image-output models."""
        if key not in self._images:
            index = len(self._images)
            self._images.add(key)
            self._emit(Delta(images=[{**image, "index": index}]))

    def image_file(
        self, file_id: str, container_id: str | None = None, filename: str | None = None
    ) -> None:
        """An image that the agent made, as a file of the service."""
        if file_id in self._made:
            return
        entry: JsonObject = {"file_id": file_id}
        if filename:
            entry["filename"] = filename
        self._made[file_id] = self._addressed(entry, container_id)
        if self._inline:
            self._wanted[file_id] = None
        else:
            self.image_reference(file_id)

    def images_of(self, container_id: str) -> int:
        """How many images are known as files of a container."""
        return sum(entry.get("container_id") == container_id for entry in self._made.values())

    def image_reference(self, file_id: str, note: str | None = None) -> None:
        """Say where to fetch an image; ``note`` says why it is not inline although it should be."""
        self._wanted.pop(file_id, None)
        entry = self._made[file_id]
        self._references.append({**entry, "note": note} if note else entry)
        if len(self._references) <= MAX_GROWING:
            self._emit(Delta(fields={"image_files": list(self._references)}))

    def inline_image(self, file_id: str, media_type: str, data: bytes) -> None:
        """Give out the bytes of a wanted image."""
        self._wanted.pop(file_id, None)
        url = f"data:{media_type};base64,{base64.b64encode(data).decode()}"
        self.image(("file", file_id), {"type": "image_url", "image_url": {"url": url}})

    def close(self) -> None:
        """The answer ends: images that are still wanted are given by reference, and long lists."""
        for file_id in list(self._wanted):
            self.image_reference(file_id)
        for name, entries in (("files", self._files.values()), ("image_files", self._references)):
            if len(entries) > MAX_GROWING:
                self._emit(Delta(fields={name: list(entries)}))

    def _addressed(self, entry: JsonObject, container_id: str | None) -> JsonObject:
        if container_id:
            entry["container_id"] = container_id
        if self._file_url is not None:
            entry["url"] = self._file_url(entry["file_id"], container_id or None)
        return entry
