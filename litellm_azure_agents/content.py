"""OpenAI content parts <-> service content parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


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
            elif isinstance(part, Mapping) and part.get("type") in (
                "text", "input_text", "output_text", "refusal",
            ):  # fmt: skip
                texts.append(str(part.get("text") or part.get("refusal") or ""))
            else:
                kind = part.get("type") if isinstance(part, Mapping) else type(part).__name__
                raise ValueError(f"a content part of type {kind!r} is not possible here: text only")
        return "\n".join(texts)
    raise ValueError(
        f"message content is a string or a list of parts, not {type(content).__name__}"
    )


def build_content(message: Mapping[str, Any]) -> dict[str, Any]:
    """A user message as a thread message; raises ValueError for parts an agent can't take."""
    content = message.get("content")
    if not isinstance(content, list):
        return {"role": "user", "content": text_of(content)}
    parts: list[dict[str, Any]] = []
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if isinstance(part, str):
            parts.append({"type": "text", "text": part})
        elif kind in ("text", "input_text"):
            parts.append({"type": "text", "text": str(part.get("text") or "")})
        elif kind == "image_url":
            image = part.get("image_url")
            image = {"url": image} if isinstance(image, str) else dict(image or {})
            if not str(image.get("url", "")).startswith(("https://", "http://", "data:image/")):
                raise ValueError("image_url takes an https URL or a data:image/… URL")
            parts.append({"type": "image_url", "image_url": _only(image, "url", "detail")})
        elif kind == "image_file":
            parts.append({"type": "image_file", "image_file": dict(part.get("image_file") or {})})
        else:
            raise ValueError(f"a content part of type {kind!r} can't be given to an agent")
    if len(parts) == 1 and parts[0]["type"] == "text":
        return {"role": "user", "content": parts[0]["text"]}
    return {"role": "user", "content": parts}


def _only(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: values[name] for name in names if values.get(name) is not None}
