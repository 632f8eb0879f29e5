"""Pages of lists that are not listings of the store."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request

from .response_http import invalid
from .response_objects import listing
from .store import Doc


def page_of(request: Request, oldest_first: Sequence[Doc]) -> Doc:
    """The page that `limit`, `order` and `after` ask for; newest first by default."""
    query = request.query_params
    limit, order = query.get("limit", "20"), query.get("order", "desc")
    if not limit.isdecimal() or not 1 <= int(limit) <= 100:
        raise invalid("'limit' must be an integer from 1 to 100.", "limit")
    if order not in ("asc", "desc"):
        raise invalid("'order' must be 'asc' or 'desc'.", "order")
    docs = list(oldest_first) if order == "asc" else list(oldest_first)[::-1]
    after = query.get("after")
    if after:
        ids = [doc["id"] for doc in docs]
        if after not in ids:
            raise invalid(f"No item found with id '{after}'.", "after")
        docs = docs[ids.index(after) + 1 :]
    return listing(docs[: int(limit)], len(docs) > int(limit))
