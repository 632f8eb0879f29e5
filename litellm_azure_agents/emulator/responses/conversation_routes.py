"""Routes of conversations and their items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..core.http import answer, list_answer, project_of, read_body
from ..core.routing import Table, missing, table_routes
from ..core.store import Doc
from ..project import Project
from .items import read_input
from .objects import conversation_object, listing, public, with_includes
from .routes import AGENT_ENDPOINT
from .schemas import ConversationCreate, ConversationUpdate, ItemsCreate


def routes() -> Sequence[BaseRoute]:
    """This group's routes."""
    one, items = "/conversations/{conversation}", "/conversations/{conversation}/items"
    table: Table = [
        ("POST", "/conversations", create),
        ("GET", "/conversations", list_conversations),
        ("GET", one, get),
        ("POST", one, update),
        ("DELETE", one, delete),
        ("GET", items, list_items),
        ("POST", items, create_items),
        ("GET", items + "/{item}", get_item),
        ("DELETE", items + "/{item}", delete_item),
    ]
    return [*table_routes(table, "/openai/v1"), *table_routes(table, AGENT_ENDPOINT, "v1")]


async def create(request: Request) -> Response:
    body = await read_body(request, ConversationCreate, optional=True)
    project = project_of(request)
    conversation = conversation_object(body.get("metadata"))
    items = _read(project, body.get("items") or [])
    with project.store.transaction():
        project.store.put("conversation", conversation)
        for item in items:
            project.store.put("conversation_item", item, conversation["id"])
    return answer(conversation)


async def list_conversations(request: Request) -> Response:
    return answer(list_answer(request, "conversation"))


async def get(request: Request) -> Response:
    return answer(_conversation(request))


async def update(request: Request) -> Response:
    conversation = _conversation(request)
    body = await read_body(request, ConversationUpdate)
    conversation["metadata"] = body.get("metadata") or {}
    project_of(request).store.put("conversation", conversation)
    return answer(conversation)


async def delete(request: Request) -> Response:
    id = _conversation(request)["id"]
    project = project_of(request)
    project.responses.refuse_if_locked(id)
    with project.store.transaction():
        project.store.delete_children("conversation_item", id)
        project.store.delete("conversation", id)
    return answer({"id": id, "object": "conversation.deleted", "deleted": True})


async def list_items(request: Request) -> Response:
    page = list_answer(request, "conversation_item", _conversation(request)["id"])
    page["data"] = [_shown(request, item) for item in page["data"]]
    return answer(page)


async def create_items(request: Request) -> Response:
    id = _conversation(request)["id"]
    project = project_of(request)
    body = await read_body(request, ItemsCreate)
    project.responses.refuse_if_locked(id)
    items = _read(project, body["items"])
    with project.store.transaction():
        for item in items:
            project.store.put("conversation_item", item, id)
    return answer(listing([public(item) for item in items]))


async def get_item(request: Request) -> Response:
    return answer(_shown(request, _item(request)))


async def delete_item(request: Request) -> Response:
    conversation, item = _conversation(request), _item(request)
    project = project_of(request)
    project.responses.refuse_if_locked(conversation["id"])
    project.store.delete("conversation_item", item["id"], conversation["id"])
    return answer(conversation)


def _conversation(request: Request) -> Doc:
    id = request.path_params["conversation"]
    doc = project_of(request).store.get("conversation", id)
    if doc is None:
        raise missing("Conversation", id)
    return doc


def _item(request: Request) -> Doc:
    id, parent = request.path_params["item"], _conversation(request)["id"]
    doc = project_of(request).store.get("conversation_item", id, parent)
    if doc is None:
        raise missing("Item", id)
    return doc


def _read(project: Project, given: list[dict[str, Any]]) -> list[Doc]:
    allowed = project.settings.strictness.hosted_items_in_input
    return read_input(given, hosted_allowed=allowed, param="items")


def _shown(request: Request, item: Doc) -> Doc:
    query = request.query_params
    include = [v for name in ("include", "include[]") for v in query.getlist(name)]
    return public(with_includes(item, include)) if include else public(item)
