"""Pages of lists that are not listings of the store."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request

from ..responses.objects import listing
from .http import limit_and_order
from .routing import invalid
from .store import Doc


def page_of(request: Request, oldest_first: Sequence[Doc]) -> Doc:
    """The page that `limit`, `order` and `after` ask for; newest first by default."""
    limit, order = limit_and_order(request)
    docs = list(oldest_first) if order == "asc" else list(oldest_first)[::-1]
    after = request.query_params.get("after")
    if after:
        ids = [doc["id"] for doc in docs]
        if after not in ids:
            raise invalid(f"No item found with id '{after}'.", "after")
        docs = docs[ids.index(after) + 1 :]
    return listing(docs[:limit], len(docs) > limit)
