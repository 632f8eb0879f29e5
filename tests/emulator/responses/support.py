"""Agents with tools of their own."""

from __future__ import annotations

from typing import Any

from .client import Raw

VERSION = {"api-version": "v1"}


def make(raw: Raw, name: str, **definition: Any) -> None:
    body = {"definition": {"kind": "prompt", "model": "m", **definition}}
    raw.post(f"/agents/{name}/versions", body, params=VERSION)
