"""A project that keeps the files it is sent, and messages that have some."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from typing import Any

import httpx

from tests.support.playing import BASE, clients_to
from tests.support.stream_service import ThreadService
from tests.support.ways import Way

AGENT = {"model": "azure_ai/agents/asst_rec", "api_base": BASE, "api_key": "key"}
CODE, SEARCH = {"type": "code_interpreter"}, {"type": "file_search"}


class Project(ThreadService):
    """A project with one agent: keeps what is uploaded, and answers with a stored stream."""

    def __init__(self, *tools: Any, name: str = "plain", delay: float = 0.0) -> None:
        super().__init__(name)
        self.tools = tools
        self.delay = delay
        self.files: dict[str, dict[str, Any]] = {}
        self.deleted: list[str] = []
        self.refusals: list[tuple[int, str]] = []  # for the next requests that make a run
        self.sent: list[tuple[str, str]] = []
        self.at_once = self.most_at_once = 0
        self.bodies: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = re.sub("^/api/projects/[^/]+", "", request.url.path)
        self.sent.append((request.method, path))
        if (request.method, path) == ("POST", "/files"):
            return self.upload(request)
        if path.startswith("/files/"):
            id = path.split("/")[2]
            if request.method == "DELETE":
                self.deleted.append(id)
                return httpx.Response(200, json={"id": id, "deleted": True})
            if id not in self.files:
                return refusal(404, f"No file found with id '{id}'.")
            return httpx.Response(200, json=self.files[id])
        if path.startswith("/assistants/"):
            return httpx.Response(200, json={"id": "asst_rec", "tools": self.tools})
        if request.method == "POST" and path.endswith(("/runs", "/submit_tool_outputs")):
            self.bodies.append(json.loads(request.content))
            if self.refusals:
                return refusal(*self.refusals.pop(0))
        return super().answer(request)

    def upload(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self.delay)
        body = request.content
        boundary = request.headers["content-type"].split("boundary=")[1].encode()
        fields = {}
        for part in body.split(b"--" + boundary)[1:-1]:
            head, _, value = part.partition(b"\r\n\r\n")
            name = re.search(rb'name="(\w+)"', head)
            assert name
            fields[name[1].decode()] = value.removesuffix(b"\r\n")
            if found := re.search(rb'filename="([^"]+)"', head):
                fields["filename"] = found[1]
        with self._lock:
            self.at_once -= 1
            id = f"file-{len(self.files)}"
            self.files[id] = {
                "id": id, "filename": fields["filename"].decode(), "status": "processed",
                "purpose": fields["purpose"].decode(), "data": fields["file"].decode("latin-1"),
            }  # fmt: skip
        return httpx.Response(200, json=self.files[id])

    @property
    def message(self) -> dict[str, Any]:
        """The last message of the last run that was asked for."""
        body = self.bodies[-1]
        messages = body.get("additional_messages") or body["thread"]["messages"]
        found: dict[str, Any] = messages[-1]
        return found

    def uploaded(self) -> list[tuple[str, str]]:
        return [(f["filename"], f["purpose"]) for f in self.files.values()]


def refusal(status: int, message: str) -> httpx.Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return httpx.Response(status, json={"error": error})


def ask(project: Project, *parts: Any, way: str = "sync", **options: Any) -> Any:
    content = [{"type": "text", "text": "Look."}, *parts]
    arguments = {"messages": [{"role": "user", "content": content}], **AGENT, **options}
    with clients_to(project):
        return Way(way).ask(**arguments)


def data_url(data: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def image(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def file(data: bytes = b"text", filename: str | None = "a.txt", **more: Any) -> dict[str, Any]:
    inner = {"file_data": data_url(data, more.pop("media_type", "text/plain")), **more}
    return {"type": "file", "file": {**inner, **({"filename": filename} if filename else {})}}
