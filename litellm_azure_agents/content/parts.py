"""OpenAI content parts <-> service content parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..core.json_values import as_object, as_text

if TYPE_CHECKING:
    from .uploads import Incoming


TEXT_TYPES = ("text", "input_text", "output_text", "refusal")
"""Types of parts that are text."""


def text_of(content: Any) -> str:
    """The text of a message's content: a string, a list of parts, or nothing.

    Raises ValueError for what is neither.
    """
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = []
        for part in content:
            if isinstance(part, str):
                texts.append(part)
            elif isinstance(part, Mapping) and part.get("type") in TEXT_TYPES:
                texts.append(str(part.get("text") or part.get("refusal") or ""))
            else:
                kind = part.get("type") if isinstance(part, Mapping) else type(part).__name__
                raise ValueError(f"a content part of type {kind!r} is not possible here: text only")
        return "\n".join(filter(None, texts))
    raise ValueError(
        f"message content is a string or a list of parts, not {type(content).__name__}"
    )


def with_content(parts: Sequence[Any]) -> list[Any]:
    """The parts but for texts that are empty, which the service takes nowhere."""
    return [part for part in parts if not _is_empty_text(part)]


def says_nothing(content: Any) -> bool:
    """Whether a message's content is nothing, or nothing but empty texts."""
    return not content or (isinstance(content, list) and not with_content(content))


def _is_empty_text(part: Any) -> bool:
    if isinstance(part, Mapping):
        kinds = ("text", "input_text", "output_text")
        return part.get("type") in kinds and not as_text(part.get("text"))
    return bool(part == "")


def assistant_text(message: Mapping[str, Any]) -> str:
    """What an assistant turn said, a refusal included; thoughts are not repeated to the agent."""
    content = message.get("content")
    if isinstance(content, list):
        content = [
            part
            for part in content
            if not (isinstance(part, Mapping) and str(part.get("type")).endswith("thinking"))
        ]
    return text_of(content) or str(message.get("refusal") or "")


def image_of(part: Mapping[str, Any]) -> tuple[str, str | None]:
    """(url, detail) of an ``image_url`` part, whose URL may stand in an object or alone."""
    image = part.get("image_url")
    url = as_text(image) or as_text(as_object(image).get("url"))
    return url, as_text(as_object(image).get("detail")) or None


def file_in_image(part: Mapping[str, Any]) -> dict[str, Any] | None:
    """The ``file`` for a document that a client gives in an ``image_url``; None for an image.

    LiteLLM makes such parts of Anthropic's ``document`` blocks, and some clients of their PDFs.
    """
    url, _ = image_of(part)
    kind = url[:40].lower()
    if not kind.startswith("data:") or kind.startswith(("data:image/", "data:;", "data:,")):
        return None
    return {"file_data": url}


def build_content(message: Mapping[str, Any], incoming: Incoming) -> dict[str, Any]:
    """A user message as a thread message; raises ValueError for parts an agent can't take.

    What has to be uploaded or attached is left with ``incoming``.
    """
    content = message.get("content")
    if not isinstance(content, list):
        return {"role": "user", "content": text_of(content)}
    built: dict[str, Any] = {"role": "user", "content": ""}
    parts: list[dict[str, Any]] = []
    names: list[str] = []
    for part in with_content(content):
        kind = part.get("type") if isinstance(part, Mapping) else None
        if isinstance(part, str):
            parts.append({"type": "text", "text": part})
        elif kind in ("text", "input_text"):
            parts.append({"type": "text", "text": str(part.get("text") or "")})
        elif kind == "image_url" and (document := file_in_image(part)):
            names.append(incoming.file(built, document))
        elif kind == "image_url":
            parts.append(incoming.image(*image_of(part)))
        elif kind == "image_file":
            file = as_object(part.get("image_file"))
            if not as_text(file.get("file_id")):
                raise ValueError("an image_file part needs {'image_file': {'file_id': …}}")
            given = {name: file[name] for name in ("file_id", "detail") if file.get(name)}
            parts.append({"type": "image_file", "image_file": given})
        elif kind == "file":
            names.append(incoming.file(built, part.get("file")))
        elif kind in ("input_audio", "audio", "video_url", "video"):
            raise ValueError(f"an agent takes text, images and files, no {kind}")
        else:
            raise ValueError(f"a content part of type {kind!r} can't be given to an agent")
    if names and not parts:  # a message must say something
        parts.append({"type": "text", "text": "Attached: " + ", ".join(names)})
    only_text = len(parts) == 1 and parts[0]["type"] == "text"
    built["content"] = parts[0]["text"] if only_text else parts
    return built
