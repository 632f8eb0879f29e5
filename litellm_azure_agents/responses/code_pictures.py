"""The pictures that code interpreter draws: as files of its container, or by URL (protocols B4)."""

from __future__ import annotations

from collections.abc import Hashable

from ..answer.artifacts import Artifacts
from ..core.json_values import Json, as_objects, as_text
from .items import container_file

Key = tuple[Hashable, ...]


class CodePictures:
    """Reads the items of code interpreter and gives each picture out once."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts
        self._urls: dict[str, dict[Key, str]] = {}  # by container
        self._silent: dict[str, None] = {}  # containers whose code ran without showing outputs

    def read(self, key: Key, item: Json) -> None:
        """Read one complete ``code_interpreter_call``."""
        container = as_text(item.get("container_id"))
        if isinstance(item.get("outputs"), list):
            self._silent.pop(container, None)
        else:
            self._silent[container] = None
        for index, output in enumerate(as_objects(item.get("outputs"))):
            url = as_text(output.get("url")) if output.get("type") == "image" else ""
            if not url:
                continue
            place = container_file(url)
            if place is not None:
                self._artifacts.image_file(place[1], place[0])
            else:
                picture: Key = (*key, index)
                self._urls.setdefault(container, {})[picture] = url

    def silent_containers(self) -> list[str]:
        """Containers in which code may have drawn although the answer shows nothing of it."""
        return [id for id in self._silent if id and not self._artifacts.images_of(id)]

    def finish(self) -> None:
        """Give out by URL the pictures that the text doesn't cite as files of their container.

        A picture usually comes twice, by its URL and as a cited file, and nothing links the two.
        Each cited image of a container therefore counts for one URL.
        """
        for container, urls in self._urls.items():
            cited = self._artifacts.images_of(container)
            for key, url in list(urls.items())[cited:]:
                self._artifacts.image(key, {"type": "image_url", "image_url": {"url": url}})
        self._urls.clear()
