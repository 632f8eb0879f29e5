"""Conversations and chains of responses."""

from __future__ import annotations

from .client import Raw, said


def test_conversation_and_previous_response_exclude_each_other(raw: Raw) -> None:
    conversation = raw.post("/openai/v1/conversations", {})
    first = raw.ask("echo", "one")
    error = raw.refused(
        raw.body("echo", "x", conversation=conversation["id"], previous_response_id=first["id"])
    )
    assert error["code"] == "mutually_exclusive_parameters"


def test_a_conversation_is_locked_while_a_response_is_active(raw: Raw) -> None:
    conversation = raw.post("/openai/v1/conversations", {})["id"]
    first = raw.ask("slow", "a b c d e f", conversation=conversation, background=True)
    assert first["status"] == "queued"
    for path, body in (
        ("/openai/v1/responses", raw.body("echo", "x", conversation={"id": conversation})),
        (f"/openai/v1/conversations/{conversation}/items",
         {"items": [{"role": "user", "content": "x"}]}),
    ):  # fmt: skip
        assert raw.refused(body, path=path)["code"] == "conversation_locked"
    assert raw.get(f"/openai/v1/conversations/{conversation}/items")["data"] == []
    raw.post(f"/openai/v1/responses/{first['id']}/cancel")
    after = raw.ask("echo", "What did I say before?", conversation=conversation)
    assert "not said anything" in said(after)  # what was cancelled left nothing


def test_items_join_the_conversation_when_the_answer_is_there(raw: Raw) -> None:
    body = {"items": [{"role": "user", "content": "my cat is Tom"}]}
    conversation = raw.post("/openai/v1/conversations", body)["id"]
    raw.ask("echo", "and a dog", conversation=conversation, store=False)
    raw.ask("fail", "this fails", conversation=conversation)
    answer = raw.ask("echo", "What did I say before?", conversation=conversation)
    assert said(answer) == "Earlier you said: 1. my cat is Tom 2. and a dog"
    items = raw.get(f"/openai/v1/conversations/{conversation}/items", order="asc")["data"]
    assert [i["role"] for i in items] == ["user", "user", "assistant", "user", "assistant"]


def test_chains_of_previous_responses_branch(raw: Raw) -> None:
    one = raw.ask("echo", "one")
    two = raw.ask("echo", "two", previous_response_id=one["id"])
    question = "What did I say before?"
    from_two = raw.ask("echo", question, previous_response_id=two["id"])
    from_one = raw.ask("echo", question, previous_response_id=one["id"])
    assert said(from_two) == "Earlier you said: 1. one 2. two"
    assert said(from_one) == "Earlier you said: 1. one"


def test_store_false_leaves_nothing(raw: Raw) -> None:
    response = raw.ask("echo", "secret", store=False)
    assert raw.http.get(f"/openai/v1/responses/{response['id']}").status_code == 404
    error = raw.refused(raw.body("echo", "x", previous_response_id=response["id"]))
    assert error["code"] == "previous_response_not_found"


def test_rounds_of_calls(raw: Raw) -> None:
    first = raw.ask("chain", "go")
    seen = []
    while first["output"][-1]["type"] == "function_call":
        (call,) = first["output"]
        seen.append(call["name"])
        output = {"type": "function_call_output", "call_id": call["call_id"],
                  "output": [{"type": "input_text", "text": f"{call['name']} ok"}]}  # fmt: skip
        first = raw.ask("chain", [output], previous_response_id=first["id"])
    assert seen == ["step_one", "step_two"]
    assert said(first) == "Both steps are done: step_one ok; step_two ok"


def test_item_references(raw: Raw) -> None:
    first = raw.ask("echo", "my cat is Tom", store=True)
    given = raw.get(f"/openai/v1/responses/{first['id']}/input_items")["data"][0]
    items = [
        {"type": "item_reference", "id": given["id"]},
        {"role": "user", "content": "What did I say before?"},
    ]
    assert "my cat is Tom" in said(raw.ask("echo", items))
    items[0]["id"] = "msg_unknown"
    assert raw.refused(raw.body("echo", items), 404)
