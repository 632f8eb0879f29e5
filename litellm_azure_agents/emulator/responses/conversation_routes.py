"""Routes of conversations and their items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..core.http import (
    answer,
    deleted,
    included,
    listing,
    page_of,
    project_of,
    read_body,
    require_new,
    stored_page,
)
from ..core.routing import Table, foundry_routes
from ..core.store import Doc, public
from .items import read_input
from .objects import conversation_object, with_includes
from .routes import AGENT_ENDPOINT, USER_HEADER
from .schemas import ConversationCreate, ConversationUpdate, ItemsCreate

if TYPE_CHECKING:
    from ..project import Project


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
    return [*foundry_routes(table, "/openai/v1"), *foundry_routes(table, AGENT_ENDPOINT, "v1")]


async def create(request: Request) -> Response:
    body = await read_body(request, ConversationCreate, optional=True)
    project = project_of(request)
    conversation = conversation_object(body.get("metadata"))
    items = _read(project, body.get("items") or [])
    with project.store.transaction():
        project.store.put("conversation", conversation)
        _put_items(project, items, conversation["id"])
    return answer(conversation)


async def list_conversations(request: Request) -> Response:
    name = request.query_params.get("agent_name")
    if name is None:
        return answer(stored_page(request, "conversation"))
    project = project_of(request)
    user = request.headers.get(USER_HEADER)
    responses = project.responses.listed(user=user, agent_name=name, conversation=None)
    used = {(response["conversation"] or {}).get("id") for response in responses}
    return answer(
        page_of(request, [c for c in project.store.all("conversation") if c["id"] in used])
    )


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
    return answer(deleted(id, "conversation.deleted"))


async def list_items(request: Request) -> Response:
    page = stored_page(request, "conversation_item", _conversation(request)["id"])
    page["data"] = [_shown(request, item) for item in page["data"]]
    return answer(page)


async def create_items(request: Request) -> Response:
    id = _conversation(request)["id"]
    project = project_of(request)
    body = await read_body(request, ItemsCreate)
    project.responses.refuse_if_locked(id)
    items = _read(project, body["items"])
    with project.store.transaction():
        _put_items(project, items, id)
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
    return require_new(request, "Conversation", "conversation", id)


def _item(request: Request) -> Doc:
    id, parent = request.path_params["item"], _conversation(request)["id"]
    return require_new(request, "Item", "conversation_item", id, parent)


def _read(project: Project, given: list[dict[str, Any]]) -> list[Doc]:
    allowed = project.settings.strictness.hosted_items_in_input
    return read_input(given, hosted_allowed=allowed, param="items")


def _put_items(project: Project, items: Sequence[Doc], conversation: str) -> None:
    for item in items:
        project.store.put("conversation_item", item, conversation)


def _shown(request: Request, item: Doc) -> Doc:
    include = included(request)
    return public(with_includes(item, include)) if include else public(item)
