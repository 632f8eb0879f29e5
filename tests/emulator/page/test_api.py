"""The page's files and read API, without a browser."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from litellm_azure_agents.emulator import Emulator
from litellm_azure_agents.emulator.page import routes as routes_page
from litellm_azure_agents.emulator.page import search as page_search

from ..wire import PATIENCE, Wire, last_run
from .api import Page, new, respond

XSS = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'


def test_files_need_no_token_and_load_nothing_from_elsewhere(emulator: Emulator) -> None:
    for path in routes_page.WEB.iterdir():
        url = emulator.url + ("/" if path.name == "index.html" else f"/page/{path.name}")
        answer = httpx.get(url)
        assert answer.status_code == 200
        assert answer.headers["content-type"].split(";")[0] == routes_page._TYPES[path.suffix]
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'self';")
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in answer.headers
        outside = set(re.findall(r"https?://[^\s\"'`)]+", answer.text))
        assert outside <= {"http://www.w3.org/2000/svg"}
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", answer.text)


@pytest.mark.parametrize("name", ["nothing.js", "..%2fapp.py", "%2e%2e/app.py", "x/y.js", ".html"])
def test_only_the_pages_own_files_are_served(emulator: Emulator, name: str) -> None:
    assert httpx.get(f"{emulator.url}/page/{name}").status_code == 404


def test_the_api_asks_for_the_token_and_for_its_own_host() -> None:
    with Emulator(token="secret") as emulator:
        api = emulator.url + "/page/api/overview"
        assert httpx.get(api).status_code == 401
        wrong = httpx.get(api, headers={"Authorization": "Bearer other"})
        assert wrong.status_code == 401
        assert wrong.headers["www-authenticate"] == "Bearer"
        assert httpx.get(api + "?token=secret").status_code == 401
        right = {"Authorization": "Bearer secret"}
        assert httpx.get(api, headers=right).status_code == 200
        for path in ("/", "/page/app.js", "/page/api/overview"):
            headers = {**right, "Host": "rebound.example"}
            assert httpx.get(emulator.url + path, headers=headers).status_code == 403
        assert httpx.post(api, headers=right).status_code == 405


def test_what_the_page_reads_is_not_logged_and_meets_no_faults(
    emulator: Emulator, page: Page
) -> None:
    emulator.faults.add(status=500, times=1)
    assert page.get("overview")["requests"] == 0
    assert page.http.get("/").status_code == 200
    assert emulator.requests == []
    assert emulator.faults.rules[0].times == 1


def test_unknown_things_are_404(page: Page) -> None:
    for path in ("nothing", "threads/x", "runs/x", "runs/x/events", "agents/classic/x",
                 "agents/new/x", "requests/x", "files/x", "files/x/about"):  # fmt: skip
        answer = page.http.get(f"/page/api/{path}")
        assert (path, answer.status_code) == (path, 404)
        assert answer.json()["error"]["message"]


def test_threads_and_conversations(emulator: Emulator, wire: Wire, page: Page) -> None:
    wire.ask("asst_echo", XSS)
    with new(emulator) as client:
        conversation = client.post("/conversations", json={}).json()["id"]
        respond(client, "echo", "Hello there", conversation=conversation)
    rows = page.get("threads")["rows"]
    assert [(r["kind"], r["title"], r["count"]) for r in rows] == [
        ("conversation", "Hello there", 2),
        ("thread", XSS, 2),
    ]
    assert page.ids("threads", which="thread") == [rows[1]["id"]]
    found = page.get("threads", q="THERE hello")["rows"]
    assert [r["id"] for r in found] == [conversation]
    assert "Hello there" in found[0]["match"]
    assert page.ids("threads", q='"there hello"') == []
    assert page.ids("threads", q=rows[1]["id"]) == [rows[1]["id"]]
    shown = page.get(f"threads/{conversation}")
    assert [item["role"] for item in shown["items"]] == ["user", "assistant"]
    assert shown["runs"][0]["agent"] == "echo"
    assert page.get(f"threads/{rows[1]['id']}")["runs"][0]["status"] == "completed"


def test_search_finds_what_json_escapes_and_capitals(wire: Wire, page: Page) -> None:
    for text in ('say "quoted" 100%_\\ now', "ÜBER alles", "plain"):
        wire.post("/threads", {"messages": [{"role": "user", "content": text}]})
    titles = lambda q: [r["title"] for r in page.get("threads", q=q)["rows"]]  # noqa: E731
    assert titles("100%_\\") == ['say "quoted" 100%_\\ now']
    assert titles("quoted") == ['say "quoted" 100%_\\ now']
    assert titles("ÜBER") == ["ÜBER alles"]
    assert titles("über") == ["ÜBER alles"]
    assert titles("PLAIN") == ["plain"]
    assert titles("content") == []  # names of fields are not text
    assert page_search.words_of('a "b c" d') == ["a", "d", "b c"]


def test_long_threads_come_in_pages(wire: Wire, page: Page) -> None:
    thread = wire.post("/threads", {})["id"]
    for n in range(230):
        wire.post(f"/threads/{thread}/messages", {"role": "user", "content": f"m{n}"})
    newest = page.get(f"threads/{thread}")
    assert newest["older"]
    assert len(newest["items"]) == 200
    older = page.get(f"threads/{thread}", before=newest["items"][0]["id"])
    assert not older["older"]
    texts = [m["content"][0]["text"]["value"] for m in older["items"] + newest["items"]]
    assert texts == [f"m{n}" for n in range(230)]


def test_lists_come_in_pages_without_gaps(wire: Wire, page: Page) -> None:
    made = [wire.post("/threads", {})["id"] for _ in range(250)]
    for path in ("threads", "requests"):
        seen: list[str] = []
        before: int | None = None
        while True:
            got = page.get(path, **({} if before is None else {"before": before}))
            seen += [row["id"] for row in got["rows"]]
            assert len(got["rows"]) <= 100
            before = got["next"]
            if before is None:
                break
        assert len(seen) == len(set(seen)) == 250
    assert page.ids("threads")[0] == made[-1]


def test_runs_and_responses(emulator: Emulator, wire: Wire, page: Page) -> None:
    wire.ask("asst_weather", "weather in Paris")
    wire.ask("asst_fail", "fail with server_error: it broke")
    with new(emulator) as client:
        response = respond(client, "code", "plot 1, 2, 3")
    rows = page.get("runs")["rows"]
    assert [(r["agent"], r["status"], r["error"]) for r in rows] == [
        ("code", "completed", None),
        ("asst_fail", "failed", "server_error"),
        ("asst_weather", "requires_action", None),
    ]
    assert page.ids("runs", which="waiting") == page.ids("runs", which="active") == [rows[2]["id"]]
    assert page.ids("runs", which="failed", q="broke") == [rows[1]["id"]]
    overview = page.get("overview")
    assert (overview["runs"], overview["waiting"], overview["active"]) == (3, 1, 0)
    waiting = page.get(f"runs/{rows[2]['id']}")
    assert waiting["doc"]["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert waiting["steps"][0]["step_details"]["tool_calls"][0]["function"]["name"] == "get_weather"
    shown = page.get(f"runs/{response['id']}")
    code = next(i for i in shown["doc"]["output"] if i["type"] == "code_interpreter_call")
    assert code["outputs"]  # also when the client did not ask for them
    assert shown["given"][0]["content"][0]["text"] == "plot 1, 2, 3"
    picture = page.http.get(f"/page/api/files/{code['images'][0]}")
    assert picture.headers["content-type"] == "image/png"
    assert page.get(f"files/{code['images'][0]}/about")["filename"] == "plot.png"


def test_uploads_are_never_documents(wire: Wire, page: Page) -> None:
    html = b"<html><script>alert(1)</script>"
    file = wire.http.post(
        "/files", files={"file": ("a.html", html, "text/html")}, data={"purpose": "assistants"}
    ).json()
    answer = page.http.get(f"/page/api/files/{file['id']}")
    assert answer.content == html
    assert answer.headers["content-type"] == "application/octet-stream"


def test_agents_of_both_kinds(wire: Wire, page: Page, emulator: Emulator) -> None:
    both = {row["name"]: row for row in page.get("agents", q="get_time")["rows"]}
    assert {name: row["kind"] for name, row in both.items()} == {
        "weather": "new",
        "asst_weather": "classic",
    }
    assert {r["kind"] for r in page.get("agents", which="classic")["rows"]} == {"classic"}
    wire.ask("asst_echo", "hi")
    with new(emulator) as client:
        respond(client, "echo", "hi")
    echo = page.get("agents/new/echo")
    assert [v["version"] for v in echo["versions"]] == ["2", "1"]
    assert "_next" not in echo["doc"]
    assert len(echo["runs"]) == len(page.get("agents/classic/asst_echo")["runs"]) == 1


def test_requests_with_bodies_answers_and_errors(wire: Wire, page: Page) -> None:
    wire.refused("/threads", {"nonsense": "needle"})
    wire.ask("asst_echo", "hi")
    with pytest.raises(httpx.RemoteProtocolError):
        wire.http.get("/threads", headers={"x-emulator-fault": "drop"})
    dropped, stream, refused = page.get("requests")["rows"]
    assert dropped["error"] == "no answer was sent"
    assert stream["stream"]
    assert stream["bytes"] > 1000
    assert refused["status"] == 400
    assert "Unknown parameter" in refused["error"]
    assert refused["seconds"] < PATIENCE
    assert page.ids("requests", which="errors") == [dropped["id"], refused["id"]]
    assert page.ids("requests", q="needle") == [refused["id"]]
    shown = page.get(f"requests/{refused['id']}")
    assert shown["body"] == {"nonsense": "needle"}
    assert shown["answer"]["error"]["code"] == "unknown_parameter"
    assert shown["headers"]["authorization"] == "Bearer ***"


def test_numbers_and_searches_beyond_all_bounds(wire: Wire, page: Page) -> None:
    run = last_run(wire.ask("asst_echo", "hello " * 2000))
    for name in ("threads", "runs", "agents", "files", "requests"):
        for before in ("9" * 30, "9" * 5000, "-1", "x"):
            assert page.get(name, before=before)["rows"] == page.get(name)["rows"]
    assert page.ids("threads", q="hello " * 2000) == [run["thread_id"]]
    for start in ("9" * 30, "x"):
        path = f"/page/api/runs/{run['id']}/events"
        assert page.http.get(path, params={"from": start}).status_code == 200


def test_modules_are_small() -> None:
    sizes = {p.name: len(p.read_text().splitlines()) for p in Path(routes_page.WEB).iterdir()}
    assert max(sizes.values()) < 400, sizes
