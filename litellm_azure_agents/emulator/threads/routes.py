"""Routes of classic threads and their messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..core.errors import ApiError
from ..core.http import answer, api_version, list_answer, project_of, read_body, require
from ..core.store import Doc
from ..project import Project
from .attachments import index_attachments
from .checks import check_messages, check_resources, has_preview
from .objects import deleted, message_object, thread_object
from .schemas import MessageCreate, MetadataUpdate, ThreadCreate, ThreadUpdate


def routes() -> Sequence[BaseRoute]:
    """This group's routes."""
    thread, message = "/threads/{thread}", "/threads/{thread}/messages/{message}"
    return [
        Route("/threads", create, methods=["POST"]),
        Route("/threads", list_threads, methods=["GET"]),
        Route(thread, get, methods=["GET"]),
        Route(thread, update, methods=["POST"]),
        Route(thread, delete, methods=["DELETE"]),
        Route("/threads/{thread}/messages", create_message, methods=["POST"]),
        Route("/threads/{thread}/messages", list_messages, methods=["GET"]),
        Route(message, get_message, methods=["GET"]),
        Route(message, update_message, methods=["POST"]),
        Route(message, delete_message, methods=["DELETE"]),
    ]


async def create(request: Request) -> Response:
    api_version(request)
    body = await read_body(request, ThreadCreate, optional=True)
    check_thread(project_of(request), body, "messages")
    return answer(make_thread(project_of(request), body))


async def list_threads(request: Request) -> Response:
    api_version(request)
    return answer(list_answer(request, "thread"))


async def get(request: Request) -> Response:
    api_version(request)
    return answer(require(request, "thread", request.path_params["thread"]))


async def update(request: Request) -> Response:
    api_version(request)
    thread = require(request, "thread", request.path_params["thread"])
    body = await read_body(request, ThreadUpdate, optional=True)
    project = project_of(request)
    check_resources(body.get("tool_resources"), project.store)
    with project.store.transaction():
        thread.update({name: value or {} for name, value in body.items()})
        thread["tool_resources"] = project.vectors.settle(thread["tool_resources"])
        project.store.put("thread", thread)
    return answer(thread)


async def delete(request: Request) -> Response:
    api_version(request)
    thread = require(request, "thread", request.path_params["thread"])
    project = project_of(request)
    if live := project.runs.active.get(thread["id"]):
        project.runs.cancel(live.run)
        if live.task is not None:
            await live.task
    store = project.store
    with store.transaction():
        for run in store.all("run", thread["id"]):
            store.delete_children("step", run["id"])
        store.delete_children("run", thread["id"])
        store.delete_children("message", thread["id"])
        store.delete("thread", thread["id"])
    return answer(deleted(thread["id"], "thread.deleted"))


async def create_message(request: Request) -> Response:
    api_version(request)
    project = project_of(request)
    thread = require(request, "thread", request.path_params["thread"])
    body = await read_body(request, MessageCreate)
    check_messages([body], "content", project.store, project.settings.strictness)
    project.runs.refuse_if_active(thread["id"], "messages")
    return answer(add_messages(project, thread, [body])[0])


async def list_messages(request: Request) -> Response:
    api_version(request)
    thread = require(request, "thread", request.path_params["thread"])
    run_id = request.query_params.get("run_id")
    where = {"run_id": run_id} if run_id else None
    return answer(list_answer(request, "message", thread["id"], where))


async def get_message(request: Request) -> Response:
    api_version(request)
    return answer(_message(request))


async def update_message(request: Request) -> Response:
    api_version(request)
    message = _message(request)
    body = await read_body(request, MetadataUpdate, optional=True)
    if "metadata" in body:
        message["metadata"] = body["metadata"] or {}
    project_of(request).store.put("message", message, message["thread_id"])
    return answer(message)


async def delete_message(request: Request) -> Response:
    version = api_version(request)
    project = project_of(request)
    if not has_preview(version, project.settings.strictness):
        raise ApiError(405, f"Messages can't be deleted in api-version '{version}'.")
    message = _message(request)
    project.store.delete("message", message["id"], message["thread_id"])
    return answer(deleted(message["id"], "thread.message.deleted"))


def _message(request: Request) -> Doc:
    thread = require(request, "thread", request.path_params["thread"])
    return require(request, "message", request.path_params["message"], thread["id"])


def check_thread(project: Project, body: Mapping[str, Any], param: str) -> None:
    """Refuse a thread that can't be made, before anything is written."""
    check_messages(body.get("messages") or [], param, project.store, project.settings.strictness)
    check_resources(body.get("tool_resources"), project.store)


def make_thread(project: Project, body: Mapping[str, Any]) -> Doc:
    """A new thread with its first messages, all or nothing."""
    thread = thread_object(body)
    with project.store.transaction():
        thread["tool_resources"] = project.vectors.settle(thread["tool_resources"])
        project.store.put("thread", thread)
        add_messages(project, thread, body.get("messages") or [])
    return thread


def add_messages(project: Project, thread: Doc, bodies: Sequence[Mapping[str, Any]]) -> list[Doc]:
    """Append checked messages to a thread; attached files become searchable."""
    messages = []
    with project.store.transaction():
        for body in bodies:
            message = message_object(
                thread["id"],
                body["role"],
                body["content"],
                attachments=body.get("attachments"),
                metadata=body.get("metadata"),
            )
            project.store.put("message", message, thread["id"])
            index_attachments(project, thread, message["attachments"])
            messages.append(message)
    return messages
