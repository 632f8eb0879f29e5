"""Routes of classic threads and their messages."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..core.errors import ApiError
from ..core.http import answer, deleted, project_of, read_body, require, stored_page
from ..core.routing import Table, api_version, classic_routes
from ..core.store import Doc
from .checks import check_messages, check_resources, has_preview
from .messages import add_messages, check_thread, delete_thread, make_thread, update_thread
from .schemas import MessageCreate, MetadataUpdate, ThreadCreate, ThreadUpdate


def routes() -> Sequence[BaseRoute]:
    """This group's routes."""
    thread, messages = "/threads/{thread}", "/threads/{thread}/messages"
    message = messages + "/{message}"
    table: Table = [
        ("POST", "/threads", create),
        ("GET", "/threads", list_threads),
        ("GET", thread, get),
        ("POST", thread, update),
        ("DELETE", thread, delete),
        ("POST", messages, create_message),
        ("GET", messages, list_messages),
        ("GET", message, get_message),
        ("POST", message, update_message),
        ("DELETE", message, delete_message),
    ]
    return classic_routes(table)


async def create(request: Request) -> Response:
    project = project_of(request)
    body = await read_body(request, ThreadCreate, optional=True)
    check_thread(body, "messages", project.store, project.settings.strictness)
    return answer(make_thread(body, project.store, project.vectors))


async def list_threads(request: Request) -> Response:
    return answer(stored_page(request, "thread"))


async def get(request: Request) -> Response:
    return answer(thread_of(request))


async def update(request: Request) -> Response:
    project, thread = project_of(request), thread_of(request)
    body = await read_body(request, ThreadUpdate, optional=True)
    check_resources(body.get("tool_resources"), project.store)
    update_thread(thread, body, project.store, project.vectors)
    return answer(thread)


async def delete(request: Request) -> Response:
    project, thread = project_of(request), thread_of(request)
    await project.runs.cancel_on(thread["id"])
    delete_thread(thread["id"], project.store)
    return answer(deleted(thread["id"], "thread.deleted"))


async def create_message(request: Request) -> Response:
    project, thread = project_of(request), thread_of(request)
    body = await read_body(request, MessageCreate)
    check_messages([body], "content", project.store, project.settings.strictness)
    project.runs.refuse_messages_if_active(thread["id"])
    return answer(add_messages(thread, [body], project.store, project.vectors)[0])


async def list_messages(request: Request) -> Response:
    run_id = request.query_params.get("run_id")
    where = {"run_id": run_id} if run_id else None
    return answer(stored_page(request, "message", thread_of(request)["id"], where))


async def get_message(request: Request) -> Response:
    return answer(_message(request))


async def update_message(request: Request) -> Response:
    message = _message(request)
    body = await read_body(request, MetadataUpdate, optional=True)
    if "metadata" in body:
        message["metadata"] = body["metadata"] or {}
    project_of(request).store.put("message", message, message["thread_id"])
    return answer(message)


async def delete_message(request: Request) -> Response:
    version, project = api_version(request), project_of(request)
    if not has_preview(version, project.settings.strictness):
        raise ApiError(405, f"Messages can't be deleted in api-version '{version}'.")
    message = _message(request)
    project.store.delete("message", message["id"], message["thread_id"])
    return answer(deleted(message["id"], "thread.message.deleted"))


def thread_of(request: Request) -> Doc:
    """The thread that a request's path names. Raises the 404."""
    return require(request, "thread", request.path_params["thread"])


def _message(request: Request) -> Doc:
    return require(request, "message", request.path_params["message"], thread_of(request)["id"])
