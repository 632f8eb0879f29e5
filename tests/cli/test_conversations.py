"""`threads`, `conversations` and `responses`: `list | show | tag | delete | prune`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from litellm_azure_agents import conversations
from litellm_azure_agents.conversations import unneeded
from litellm_azure_agents.emulator import Emulator

from .conftest import Run

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the clock by which ages are told; the emulator's stays."""

    def move(seconds: float) -> None:
        class Clock:
            @staticmethod
            def time() -> float:
                return time.time() + seconds

        monkeypatch.setattr(conversations, "time", Clock)

    return move


DAY = 86400


def make_conversation(emulator: Emulator, **metadata: str) -> str:
    headers = {"Authorization": f"Bearer {emulator.token}"}
    url = f"{emulator.endpoint}/openai/v1/conversations"
    made = httpx.post(url, headers=headers, json={"metadata": metadata}).json()
    return str(made["id"])


def test_threads_are_listed_and_shown(run: Run, ask: Ask) -> None:
    first = ask("asst_echo", "first", thread_metadata={"team": "law"})["thread_id"]
    second = ask("asst_echo", "second")["thread_id"]
    listed = run("threads", "list", "--json").data
    assert [thread["id"] for thread in listed] == [second, first]
    assert "team=law" in run("threads", "list").out
    found = run("threads", "list", "--tag", "team=law", "--json").data
    assert [thread["id"] for thread in found] == [first]
    assert run("threads", "list", "--older-than", "1h", "--json").data == []
    assert len(run("threads", "list", "--limit", "1", "--json").data) == 1
    assert "You said: first" in run("threads", "show", first).out
    shown = run("threads", "show", first, "--json").data
    assert [item["role"] for item in shown["items"]] == ["user", "assistant"]


def test_tags_are_set_and_removed(run: Run, ask: Ask) -> None:
    id = ask("asst_echo", thread_metadata={"team": "law"})["thread_id"]
    run("threads", "tag", id, "keep=yes", "since=2026")
    found = run("threads", "tag", id, "--remove", "since", "--json").data["metadata"]
    assert (found["team"], found["keep"], "since" in found) == ("law", "yes", False)
    assert run("threads", "tag", id, "nonsense", code=2).out == ""
    too_many = [f"t{n}=x" for n in range(16)]
    assert "the most is 16" in run("threads", "tag", id, *too_many, code=1).err


def test_deleting_names_what_failed(run: Run, ask: Ask) -> None:
    id = ask("asst_echo")["thread_id"]
    done = run("threads", "delete", id, "thread_absent", "--json", code=1).data
    assert done["deleted"] == [id]
    assert "thread_absent" in done["failed"]["thread_absent"]
    assert run("threads", "list", "--json").data == []
    assert run("threads", "delete", "thread_absent", "--json", code=1).error["status"] == 404


def test_prune_deletes_what_nobody_uses_any_more(
    run: Run, ask: Ask, later: Callable[[float], None]
) -> None:
    ids = [ask("asst_echo")["thread_id"] for _ in range(3)]
    assert "say what to delete" in run("threads", "prune", code=2).err
    assert "--yes" in run("threads", "prune", "--older-than", "30d", code=2).err
    assert run("threads", "prune", "--older-than", "1d", "--yes", "--json").data["deleted"] == []
    later(2 * DAY)
    dry = run("threads", "prune", "--older-than", "1d", "--dry-run", "--json").data
    assert (dry["dry_run"], set(dry["found"])) == (True, set(ids))
    assert (
        "3 threads would be deleted"
        in run("threads", "prune", "--older-than", "1d", "--dry-run").err
    )
    done = run("threads", "prune", "--older-than", "1d", "--yes").out
    assert sorted(done.split()) == sorted(["deleted", *ids] + ["deleted"] * 2)
    assert run("threads", "list", "--json").data == []


def test_prune_by_tag_leaves_the_others(run: Run, ask: Ask) -> None:
    gone = ask("asst_echo", thread_metadata={"ci": "1"})["thread_id"]
    stays = ask("asst_echo")["thread_id"]
    assert run("threads", "prune", "--tag", "ci=1", "-y", "--json").data["deleted"] == [gone]
    assert [t["id"] for t in run("threads", "list", "--json").data] == [stays]


def test_a_thread_with_a_new_message_is_young(
    run: Run, ask: Ask, emulator: Emulator, later: Callable[[float], None]
) -> None:
    """Of two threads of the same age one is used again: its message's time is moved."""
    idle, used = (ask("asst_echo")["thread_id"] for _ in range(2))

    async def age() -> None:
        store = emulator.project.store
        (*_, message) = store.all("message", used)
        store.put("message", {**message, "created_at": message["created_at"] + 2 * DAY}, used)

    emulator._run(age())
    later(2 * DAY)
    assert run("threads", "prune", "--older-than", "1d", "-y", "--json").data["deleted"] == [idle]


def test_what_the_service_refuses_to_delete_fails_the_command(
    run: Run, ask: Ask, emulator: Emulator
) -> None:
    id = ask("asst_echo", thread_metadata={"ci": "1"})["thread_id"]
    emulator.faults.add(path_regex="/threads/", method="DELETE", status=403, message="not yours")
    done = run("threads", "prune", "--tag", "ci=1", "-y", "--json", code=1).data
    assert "not yours" in done["failed"][id]
    assert "not yours" in run("threads", "prune", "--tag", "ci=1", "-y", code=1).err


def test_conversations(
    run: Run, ask: Ask, emulator: Emulator, later: Callable[[float], None]
) -> None:
    used = make_conversation(emulator, team="law")
    idle = make_conversation(emulator)
    ask("echo", "in a conversation", conversation_id=used)
    listed = run("conversations", "list", "--json").data
    assert {conversation["id"] for conversation in listed} == {used, idle}
    of_agent = run("conversations", "list", "--agent", "echo", "--json").data
    assert [conversation["id"] for conversation in of_agent] == [used]
    assert "You said: in a conversation" in run("conversations", "show", used).out
    assert len(run("conversations", "show", used, "--json").data["items"]) == 2
    tagged = run("conversations", "tag", idle, "old=1", "--json").data
    assert tagged["metadata"] == {"old": "1"}
    assert run("conversations", "prune", "--tag", "old=1", "-y", "--json").data["deleted"] == [idle]
    run("conversations", "delete", used)
    assert run("conversations", "list", "--json").data == []


def test_responses(run: Run, ask: Ask, later: Callable[[float], None]) -> None:
    first = ask("echo", "one")["response_id"]
    second = ask("echo", "two", previous_response_id=first)["response_id"]
    listed = run("responses", "list", "--json").data
    assert [response["id"] for response in listed] == [second, first]
    assert "completed" in run("responses", "list", "--agent", "echo").out
    assert run("responses", "list", "--agent", "weather", "--json").data == []
    assert "You said: one" in run("responses", "show", first).out
    assert run("responses", "tag", first, "a=b", code=2).out == ""  # there is no such command
    later(2 * DAY)
    done = run("responses", "prune", "--older-than", "1d", "-y", "--json").data
    assert set(done["deleted"]) == {first, second}


def test_an_agents_threads_are_not_known(run: Run) -> None:
    run("threads", "list", "--agent", "x", code=2)


def response(id: str, previous: str | None = None, status: str = "completed") -> dict[str, Any]:
    return {"id": id, "previous_response_id": previous, "status": status}


@pytest.mark.parametrize(
    ("chain", "old", "expected"),
    [
        ([response("a"), response("b", "a")], "ab", ["a", "b"]),
        ([response("a"), response("b", "a"), response("c", "b")], "ab", []),
        ([response("a"), response("b", "a"), response("c")], "ab", ["a", "b"]),
        ([response("a", status="in_progress")], "a", []),
        ([response("a", previous="a")], "", []),
    ],
    ids=["all old", "a newer one continues both", "a newer one is another's", "running", "circle"],
)
def test_responses_that_a_chat_still_needs(chain: list[Any], old: str, expected: list[str]) -> None:
    found = unneeded(chain, lambda item: item["id"] in old)
    assert [item["id"] for item in found] == expected
