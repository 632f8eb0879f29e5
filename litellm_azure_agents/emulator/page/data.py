"""What the page shows of a project: rows of its lists, and details. Reads only; no HTTP.

Lists come newest first in pages of `PAGE` rows; `next` is the number that asks for the next page,
None at the end. A search looks at `BUDGET` objects a page at most, so a page may have few rows, or
none, and still have a `next`: the event loop is not blocked for long.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..core.store import Doc, Entry, Store, public
from ..middleware.request_log import RequestRecord
from ..responses.objects import ENDED, INCLUDES, shown_response, with_includes
from ..threads.objects import TERMINAL
from .search import around, found, plain_parts, texts_of

if TYPE_CHECKING:
    from ..project import Project

PAGE = 100
BUDGET = 2000
MESSAGES = 200
TITLE = 140
_BATCH = 200
FILES = ("file", "container_file", "vector_store")

Look = Callable[[Entry], "Doc | None"]
"""Makes a row of an object; None for one that is not listed."""


def overview(project: Project) -> Doc:
    """The numbers in the navigation."""
    store = project.store
    live = [run.run["status"] for run in project.runs.active.values()]
    busy = project.responses.unfinished()
    return {
        "changes": [store.changes, project.requests.changes],
        "threads": store.count("thread") + store.count("conversation"),
        "runs": store.count("run") + store.count("response"),
        "agents": store.count("assistant") + store.count("agent"),
        "files": sum(map(store.count, FILES)),
        "requests": len(project.requests),
        "active": len(live) - live.count("requires_action") + len(busy),
        "waiting": live.count("requires_action"),
    }


# ---- lists ----------------------------------------------------------------------------------


def listed(
    store: Store, kinds: Sequence[str], before: int | None, words: Sequence[str], look: Look
) -> Doc:
    """One page of objects of some kinds: the rows that `look` makes of them."""
    rows: list[Doc] = []
    seen, parts = 0, plain_parts(words)
    while True:
        batch = store.newest(kinds, before=before, containing=parts, limit=_BATCH)
        for entry in batch:
            before, seen = entry.seq, seen + 1
            row = look(entry)
            if row is not None:
                rows.append({"seq": entry.seq, **row})
            if len(rows) >= PAGE or seen >= BUDGET:
                return {"rows": rows, "next": before}
        if len(batch) < _BATCH:
            return {"rows": rows, "next": None}


def threads(project: Project, before: int | None, words: Sequence[str], kind: str) -> Doc:
    """Threads and conversations; a search finds them by their messages."""
    store = project.store
    inside = {"thread": "message", "conversation": "conversation_item"}
    kinds = [kind] if kind in inside else [*inside]
    if not words:
        return listed(store, kinds, before, (), lambda e: _thread_row(project, e.kind, e.doc))
    given: set[str] = set()

    def look(entry: Entry) -> Doc | None:
        owner = entry.doc["id"] if entry.kind in inside else entry.parent
        kind = entry.kind if entry.kind in inside else entry.kind.removesuffix("_item")
        kind = "thread" if kind == "message" else kind
        text = found(entry.doc, words)
        doc = store.get(kind, owner)
        if text is None or owner in given or doc is None:
            return None
        given.add(owner)
        return {**_thread_row(project, kind, doc), "match": around(text, words[0])}

    return listed(store, [*kinds, *(inside[k] for k in kinds)], before, words, look)


def _thread_row(project: Project, kind: str, doc: Doc) -> Doc:
    store, id = project.store, doc["id"]
    if kind == "thread":
        first = store.page("message", id, limit=1, order="asc").data
        runs = store.page("run", id, limit=1).data
        status, count = (runs[0]["status"] if runs else None), store.count("message", id)
    else:
        first = store.page("conversation_item", id, limit=1, order="asc").data
        live = project.responses.locked.get(id)
        status, count = (live and live.response["status"]), store.count("conversation_item", id)
        first = first or (live.given[:1] if live else [])
    title = next((text for item in first for text in texts_of(item.get("content"))), "")
    return {
        "id": id,
        "kind": kind,
        "title": title[:TITLE],
        "count": count,
        "status": status,
        "created_at": doc["created_at"],
    }


def runs(project: Project, before: int | None, words: Sequence[str], which: str) -> Doc:
    """Runs and responses. `which` is "", active, waiting, or failed (ended without an answer)."""

    def look(entry: Entry) -> Doc | None:
        doc = _current(project, entry.kind, entry.doc)
        status = doc["status"]
        over = status in TERMINAL or status in ENDED
        wanted = {
            "active": not over,
            "waiting": status == "requires_action",
            "failed": over and status != "completed",
        }.get(which, True)
        shown = shown_response(doc) if entry.kind == "response" else doc
        if not wanted or (words and found(shown, words) is None):
            return None
        return run_row(project.store, doc)

    return listed(project.store, ("run", "response"), before, words, look)


def _current(project: Project, kind: str, doc: Doc) -> Doc:
    """The object as it is now: responses are stored at their beginning and end only."""
    live = project.responses.recent.get(doc["id"]) if kind == "response" else None
    return live.response if live else doc


def run_row(store: Store, doc: Mapping[str, Any]) -> Doc:
    """A run or response as a row."""
    usage = doc["usage"] or {}
    error = doc.get("last_error") or doc.get("error") or doc.get("incomplete_details") or {}
    kind = "run" if doc["object"] == "thread.run" else "response"
    if kind == "run":
        agent = store.get("assistant", doc["assistant_id"]) or {}
        name, parent = agent.get("name") or doc["assistant_id"], doc["thread_id"]
    else:
        reference = doc["agent_reference"] or {}
        name = reference.get("name") or doc["model"]
        parent = (doc["conversation"] or {}).get("id") or doc["previous_response_id"]
    ended = doc["completed_at"] or doc.get("failed_at") or doc.get("cancelled_at")
    return {
        "id": doc["id"],
        "kind": kind,
        "status": doc["status"],
        "agent": name,
        "parent": parent,
        "created_at": doc["created_at"],
        "seconds": ended - doc["created_at"] if ended else None,
        "tokens": usage.get("total_tokens"),
        "error": error.get("code") or error.get("reason"),
    }


def agents(project: Project, before: int | None, words: Sequence[str], which: str) -> Doc:
    """Agents; `which` is "", classic or new."""
    store = project.store
    kinds = {"classic": ["assistant"], "new": ["agent"]}.get(which, ["assistant", "agent"])

    def look(entry: Entry) -> Doc | None:
        row = _agent_row(store, entry.kind, entry.doc)
        return row if not words or found(row, words) is not None else None

    return listed(store, kinds, before, (), look)  # a new agent's text is in its versions


def _agent_row(store: Store, kind: str, doc: Doc) -> Doc:
    if kind == "assistant":
        definition, described, versions = doc, doc, 0
    else:
        newest = store.page("agent_version", doc["name"], limit=1).data
        described = newest[0] if newest else {}
        definition = described.get("definition") or {}
        versions = store.count("agent_version", doc["name"])
    return {
        "id": doc["id"],
        "kind": "classic" if kind == "assistant" else "new",
        "name": doc["name"] or doc["id"],
        "description": described.get("description") or "",
        "model": definition.get("model") or definition.get("kind"),
        "tools": [_tool_name(tool) for tool in definition.get("tools") or ()],
        "instructions": (definition.get("instructions") or "")[:TITLE],
        "versions": versions,
        "disabled": doc.get("state") == "disabled",
    }


def _tool_name(tool: Mapping[str, Any]) -> str:
    function = tool.get("function") or tool
    return str(function.get("name") or tool.get("server_label") or tool["type"])


def requests(project: Project, before: int | None, words: Sequence[str], which: str) -> Doc:
    """Requests; `which` is "", errors (refused, or cut without an answer) or open."""
    rows: list[Doc] = []
    for seen, (number, record) in enumerate(_numbered(project, before)):
        if len(rows) >= PAGE or seen >= BUDGET:
            return {"rows": rows, "next": number + 1}
        refused = record.status is None or record.status >= 400
        ended = record.seconds is not None
        wanted = {"errors": refused and ended, "open": not ended}.get(which, True)
        if wanted and (not words or found(_searched(record), words) is not None):
            rows.append(_request_row(number, record))
    return {"rows": rows, "next": None}


def _numbered(project: Project, before: int | None) -> Iterator[tuple[int, RequestRecord]]:
    records = list(project.requests)
    newest = project.requests.total
    for offset, record in enumerate(reversed(records)):
        if before is None or newest - offset < before:
            yield newest - offset, record


def _searched(record: RequestRecord) -> list[Any]:
    answer = record.answer.decode("utf-8", "replace")
    line = f"{record.method} {record.path} {record.query}"
    return [record.id, line, str(record.status), record.body, answer]


def _request_row(number: int, record: RequestRecord) -> Doc:
    error = _error(record)
    return {
        "seq": number,
        "id": record.id,
        "method": record.method,
        "path": record.path,
        "status": record.status,
        "seconds": record.seconds,
        "received_at": record.received_at,
        "stream": record.answer_type.startswith("text/event-stream"),
        "bytes": record.answer_bytes,
        "error": error,
    }


def _error(record: RequestRecord) -> str | None:
    if record.status is None:
        return "no answer was sent" if record.seconds is not None else None
    if record.status < 400:
        return None
    answer = _parsed(record)
    error = answer.get("error") if isinstance(answer, dict) else None
    return str(error.get("message")) if isinstance(error, dict) else None


def _parsed(record: RequestRecord) -> Any:
    text = record.answer.decode("utf-8", "replace")
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text  # its beginning only


# ---- details; None if there is no such object -----------------------------------------------


def thread(project: Project, id: str, before: str | None) -> Doc | None:
    """A thread or conversation with its newest messages (older than message `before`)."""
    store = project.store
    doc = store.get("thread", id)
    if doc is not None:
        page = store.page("message", id, limit=MESSAGES, after=before)
        runs = [run_row(store, run) for run in store.page("run", id, limit=PAGE).data]
        return {"kind": "thread", "doc": doc, "items": page.data[::-1], "older": page.has_more,
                "runs": runs}  # fmt: skip
    doc = store.get("conversation", id)
    if doc is None:
        return None
    page = store.page("conversation_item", id, limit=MESSAGES, after=before)
    answers = store.page("response", limit=PAGE, where={"conversation.id": id}).data
    rows = [run_row(store, _current(project, "response", answer)) for answer in answers]
    live = project.responses.locked.get(id)
    pending = list(map(shown_item, live.given)) if live and before is None else []
    items = [*map(shown_item, page.data[::-1]), *pending]
    return {"kind": "conversation", "doc": doc, "items": items, "older": page.has_more,
            "runs": rows}  # fmt: skip


def shown_item(item: Doc) -> Doc:
    """An item with everything that `include` can ask for, and the images that code made."""
    if item["type"] in ("file_search_call", "code_interpreter_call"):
        item = {**with_includes(item, INCLUDES), "images": item.get("_images", [])}
    return public(item)


def run(project: Project, id: str) -> Doc | None:
    """A run with its steps and messages, or a response with its input."""
    store = project.store
    live_response = project.responses.recent.get(id)
    response = live_response.response if live_response else store.get("response", id)
    if response is not None:
        shown = {**public(response), "output": [shown_item(i) for i in response["output"]]}
        return {"kind": "response", "doc": shown, "row": run_row(store, response),
                "given": [shown_item(item) for item in response["_given"]],
                "events": len(live_response.log) if live_response else None}  # fmt: skip
    live = project.runs.recent.get(id)
    doc = live.run if live else _run_by_id(store, id)
    if doc is None:
        return None
    own = store.page("message", doc["thread_id"], limit=PAGE, order="asc", where={"run_id": id})
    return {"kind": "run", "doc": doc, "row": run_row(store, doc),
            "steps": store.all("step", id), "items": own.data,
            "events": len(live.log) if live else None}  # fmt: skip


def _run_by_id(store: Store, id: str) -> Doc | None:
    entries = store.newest(["run"], containing=[id], limit=BUDGET)
    return next((entry.doc for entry in entries if entry.doc["id"] == id), None)


def agent(project: Project, kind: str, id: str) -> Doc | None:
    """An agent with its versions, newest first, and its last runs."""
    store = project.store
    doc = store.get("assistant" if kind == "classic" else "agent", id)
    if doc is None:
        return None
    versions = store.all("agent_version", id)[::-1] if kind == "new" else []
    if kind == "classic":
        near = store.newest(["run"], containing=[id], limit=BUDGET)
        mine = [e.doc for e in near if e.doc["assistant_id"] == id]
    else:
        near = store.newest(["response"], containing=[id], limit=BUDGET)
        mine = [e.doc for e in near if (e.doc["agent_reference"] or {}).get("name") == id]
    last = [run_row(store, doc) for doc in mine[:20]]
    return {"kind": kind, "doc": public(doc), "versions": versions, "runs": last}


def request(project: Project, id: str) -> Doc | None:
    """A request with its headers, body and answer."""
    for number, record in _numbered(project, None):
        if record.id == id:
            return {
                **_request_row(number, record),
                "query": record.query,
                "headers": record.headers,
                "body": record.body,
                "answer": _parsed(record),
                "answer_type": record.answer_type,
            }
    return None
