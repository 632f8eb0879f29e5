"""Which transport our HTTP client has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import litellm


@contextmanager
def over_httpx() -> Iterator[None]:
    """Our client uses httpx's own transport, which respx replaces, instead of aiohttp."""
    before = litellm.disable_aiohttp_transport
    litellm.disable_aiohttp_transport = True
    try:
        yield
    finally:
        litellm.disable_aiohttp_transport = before
