"""File search: citations, attachments, long files."""

from __future__ import annotations

from ..wire import Wire, last_run, said
from .support import CAFE, INCLUDE, ZOO, annotations_of, settled, upload


def test_file_search_cites_the_right_file(wire: Wire) -> None:
    cafe, zoo = upload(wire, "café.txt", CAFE.encode()), upload(wire, "zoo.txt", ZOO.encode())
    store = wire.post("/vector_stores", {"file_ids": [cafe["id"], zoo["id"]]})
    settled(wire, f"/vector_stores/{store['id']}")
    resources = {"file_search": {"vector_store_ids": [store["id"]]}}
    events = wire.ask("asst_search", "When does the café open?", tool_resources=resources)
    text = said(events)
    assert text.startswith("The café opens at nine in the morning.")
    deltas, whole = annotations_of(events)
    (note,) = whole
    assert note["type"] == "file_citation"
    assert note["file_citation"]["file_id"] == cafe["id"]
    assert note["file_citation"]["quote"] in CAFE
    assert text[note["start_index"] : note["end_index"]] == note["text"] == "【4:0†café.txt】"
    assert [{"index": 0, **note}] == deltas
    texts = [d["delta"]["content"][0]["text"]["value"] for n, d in events if n.endswith("ge.delta")]
    assert not any(note["text"] in piece for piece in texts)  # the marker is split

    run = last_run(events)
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/steps"
    bare, full = wire.get(path)["data"][1], wire.get(path, **{"include[]": INCLUDE})["data"][1]
    result = full["step_details"]["tool_calls"][0]["file_search"]["results"][0]
    assert result["content"][0]["text"] == CAFE
    assert 0 < result["score"] <= 1
    assert result["file_name"] == "café.txt"
    assert "content" not in bare["step_details"]["tool_calls"][0]["file_search"]["results"][0]
    answer = wire.http.get(path, params={"include[]": "everything"})
    assert answer.status_code == 400


def test_a_messages_attachment_is_searched_in_its_thread_only(wire: Wire) -> None:
    file = upload(wire, "zoo.txt", ZOO.encode())["id"]
    message = {
        "role": "user",
        "content": "When is feeding time for lions?",
        "attachments": [{"file_id": file, "tools": [{"type": "file_search"}]}],
    }
    body = {"assistant_id": "asst_search", "thread": {"messages": [message]}}
    events = wire.stream("/threads/runs", body)
    assert said(events).startswith("Feeding time for lions is noon.")
    assert events[0][1]["tool_resources"]["file_search"]["vector_store_ids"]
    assert said(wire.ask("asst_search", message["content"])).startswith("I found nothing")
    wire.http.delete(f"/files/{file}")
    again = {"assistant_id": "asst_search", "additional_messages": [{"role": "user",
             "content": "lions?"}]}  # fmt: skip
    thread = events[0][1]["id"]
    assert said(wire.stream(f"/threads/{thread}/runs", again)).startswith("I found nothing")


def test_a_file_taken_out_of_a_store_is_not_found_there(wire: Wire) -> None:
    file = upload(wire, "zoo.txt", ZOO.encode())["id"]
    store = wire.post("/vector_stores", {"file_ids": [file]})["id"]
    settled(wire, f"/vector_stores/{store}")
    resources = {"file_search": {"vector_store_ids": [store]}}
    assert "noon" in said(
        wire.ask("asst_search", "feeding time of lions?", tool_resources=resources)
    )
    wire.http.delete(f"/vector_stores/{store}/files/{file}")
    answer = said(wire.ask("asst_search", "feeding time of lions?", tool_resources=resources))
    assert answer.startswith("I found nothing")
    assert wire.get(f"/files/{file}")["id"] == file


def test_long_files_are_searched_in_chunks(wire: Wire) -> None:
    filler = "Nothing of interest happens here today. " * 400
    data = (filler + "The password of the vault is Kestrel. " + filler).encode()
    file = upload(wire, "long.txt", data)
    store = wire.post("/vector_stores", {"file_ids": [file["id"]]})
    settled(wire, f"/vector_stores/{store['id']}")
    resources = {"file_search": {"vector_store_ids": [store["id"]]}}
    events = wire.ask("asst_search", "vault password?", tool_resources=resources)
    assert said(events).startswith("The password of the vault is Kestrel.")
    run = last_run(events)
    steps = wire.get(
        f"/threads/{run['thread_id']}/runs/{run['id']}/steps", order="asc", **{"include[]": INCLUDE}
    )["data"]
    results = steps[0]["step_details"]["tool_calls"][0]["file_search"]["results"]
    assert max(len(r["content"][0]["text"]) for r in results) <= 800 * 4
