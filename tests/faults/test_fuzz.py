"""Fuzzers: whatever a caller gives or a service sends, the end is an answer or a clear error."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any

import litellm
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from litellm_azure_agents.emulator import Emulator
from tests.faults.raw import serving
from tests.faults.size import size
from tests.support.ways import Way

FUZZ = settings(
    max_examples=size(25, 5000),
    deadline=None,
    derandomize=size(1, 0) == 1,
    suppress_health_check=list(HealthCheck),
)
HELLO = [{"role": "user", "content": "hello"}]

# -- what callers give -----------------------------------------------------------------------------

TEXT = st.one_of(
    st.text(max_size=30),
    st.text(st.characters(categories=["Cs", "Cc", "Cn", "Co", "Lo"]), max_size=10),
    st.sampled_from(["", "\ud800", "a\x00b", "\r\n", "\u2028", "x" * 5000, "\U0010ffff", "﷽"]),
)
NUMBER = st.one_of(
    st.integers(), st.floats(), st.sampled_from([10**400, -(10**30), 1e308, 5e-324, 2**63])
)
SCALAR = st.one_of(st.none(), st.booleans(), NUMBER, TEXT)
JSON = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def deep(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


VALUE = st.one_of(JSON, st.sampled_from([5, 50, 120]).map(deep))
"""What is nested some hundred levels deep fails in LiteLLM's own code, before it reaches us."""
PART = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": TEXT}),
    st.fixed_dictionaries(
        {"type": st.just("image_url"), "image_url": st.fixed_dictionaries({"url": TEXT})}
    ),
)
"""Parts of other types are refused by LiteLLM itself, before they reach the plugin."""
CONTENT = st.one_of(TEXT, TEXT, st.lists(PART, max_size=3), st.none())
MESSAGE = st.one_of(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "system"]), "content": CONTENT}),
    st.fixed_dictionaries(
        {"role": st.sampled_from(["assistant", "tool", "function"]), "content": CONTENT},
        optional={"tool_call_id": TEXT, "name": TEXT},
    ),
)
TOOL = st.fixed_dictionaries(
    {
        "type": st.just("function"),
        "function": st.fixed_dictionaries({"name": TEXT}, optional={"parameters": VALUE}),
    }
)
HEADERS = st.dictionaries(
    st.one_of(TEXT, st.sampled_from(["x-client-a", "traceparent", "Host"])), TEXT, max_size=3
)
OPTIONS: dict[str, Any] = {
    "tools": st.lists(TOOL, max_size=2),
    "extra_headers": HEADERS,
    "temperature": NUMBER,
    "top_p": NUMBER,
    "max_tokens": NUMBER,
    "user": TEXT,
    "tool_choice": VALUE,
    "response_format": st.dictionaries(TEXT, VALUE, max_size=3),  # LiteLLM itself refuses others
    "thread_id": SCALAR,
    "conversation_id": SCALAR,
    "previous_response_id": SCALAR,
    "run_mode": SCALAR,
    "poll_interval": NUMBER,
    "instructions": SCALAR,
    "additional_instructions": SCALAR,
    "tool_resources": VALUE,
    "truncation_strategy": VALUE,
    "max_prompt_tokens": NUMBER,
    "run_metadata": VALUE,
    "thread_metadata": VALUE,
    "structured_inputs": VALUE,
    "include": VALUE,
    "citations": SCALAR,
    "approvals": SCALAR,
}
"""Options of ours whose values may be anything; and those of OpenAI's that reach us as given."""


@st.composite
def arguments(draw: Any) -> dict[str, Any]:
    messages = draw(st.lists(MESSAGE, max_size=3)) + draw(st.sampled_from([HELLO, HELLO, []]))
    names = draw(st.lists(st.sampled_from(sorted(OPTIONS)), max_size=2, unique=True))
    return {"messages": messages, **{name: draw(OPTIONS[name]) for name in names}}


def problem_of(error: BaseException) -> str | None:
    """What is wrong with an error as the answer to a caller's mistake."""
    text = f"{type(error).__name__}: {error}"
    if not isinstance(error, openai.APIError):
        return f"not one of LiteLLM's: {text[:500]}"
    status = getattr(error, "status_code", None)
    if status not in (400, 403, 404, 409, 413, 422):
        return f"status {status}: {text[:500]}"
    for sign in ("Traceback", "Unexpected failure", "codec can't"):
        if sign in text:
            return f"shows our inside: {text[:500]}"
    return None


@pytest.mark.parametrize("agent", ["asst_echo", "echo"])
def test_callers_input(emulator_server: Emulator, agent: str) -> None:
    """An answer, or a 4xx that says what is wrong."""

    @FUZZ
    @given(given_arguments=arguments(), streamed=st.booleans())
    def fuzz(given_arguments: dict[str, Any], streamed: bool) -> None:
        try:
            answer = litellm.completion(
                model=f"azure_ai/agents/{agent}",
                api_base=emulator_server.endpoint,
                api_key=emulator_server.token,
                stream=streamed,
                timeout=20,
                max_retries=0,
                **given_arguments,
            )
            if streamed:
                list(answer)
        except Exception as error:
            problem = problem_of(error)
            assert problem is None, problem

    fuzz()


# -- what services send ----------------------------------------------------------------------------

CLASSIC_EVENTS = [
    "thread.created", "thread.run.created", "thread.run.queued", "thread.run.in_progress",
    "thread.run.requires_action", "thread.run.completed", "thread.run.failed",
    "thread.run.incomplete", "thread.run.step.created", "thread.run.step.delta",
    "thread.run.step.completed", "thread.message.created", "thread.message.delta",
    "thread.message.completed", "error", "done", "keepalive", "",
]  # fmt: skip
NEW_EVENTS = [
    "response.created", "response.in_progress", "response.output_item.added",
    "response.output_item.done", "response.content_part.added", "response.output_text.delta",
    "response.output_text.done", "response.function_call_arguments.delta", "response.completed",
    "response.failed", "response.incomplete", "error", "keepalive", "",
]  # fmt: skip
FIELDS = [
    "id", "object", "type", "status", "thread_id", "run_id", "delta", "content", "text", "value",
    "index", "annotations", "start_index", "end_index", "output_index", "content_index",
    "sequence_number", "item_id", "item", "output", "response", "usage", "required_action",
    "submit_tool_outputs", "tool_calls", "function", "arguments", "name", "call_id", "last_error",
    "error", "message", "code", "data", "has_more", "step_details", "role",
]  # fmt: skip
WORD = st.one_of(
    TEXT,
    st.sampled_from(
        ["text", "message", "run_1", "thread_1", "msg_1", "resp_1", "completed", "in_progress",
         "function", "output_text", "function_call", "assistant", "requires_action", "failed"]
    ),
)  # fmt: skip
ODD = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBER, WORD, WORD, st.sampled_from([0, 1, 10**30])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5)
        | st.dictionaries(st.sampled_from(FIELDS), inner, min_size=2, max_size=5)
    ),
    max_leaves=20,
)


def as_json(value: Any) -> str:
    """As a careless service writes it: lone surrogates escaped, NaN and Infinity as they are."""
    return json.dumps(value)


@st.composite
def event(draw: Any, names: list[str]) -> bytes:
    name = draw(st.sampled_from(names))
    data = draw(st.dictionaries(st.sampled_from(FIELDS), ODD, max_size=6))
    text = as_json({**data, "type": name} if name.startswith("response") else data)
    damage = draw(st.integers(0, 9))
    if damage == 0:
        text = text[: draw(st.integers(0, len(text)))]
    elif damage == 1:
        text = draw(st.sampled_from(["[DONE]", "", "null", "[", "1", '"x"', "{}", "[" * 3000]))
    block = f"event: {name}\ndata: {text}\n\n".encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 19)) == 0:
        block = draw(st.binary(max_size=60)) + block
    return bytes(block)


@st.composite
def reply(draw: Any, names: list[str]) -> bytes:
    status = draw(st.sampled_from([200, 200, 200, 200, 200, 400, 404, 500, 302, 204, 299]))
    kind = draw(st.sampled_from(["text/event-stream"] * 3 + ["application/json", "text/html", ""]))
    if kind == "text/event-stream":
        body = b"".join(draw(st.lists(event(names), max_size=8)))
    elif draw(st.booleans()):
        body = as_json(draw(ODD)).encode()
    else:
        body = draw(st.binary(max_size=200))
    header = draw(
        st.sampled_from(
            ["x-a: b", "retry-after: 1e400", "retry-after: -1", "x-long: " + "y" * 60_000,
             "content-encoding: gzip", "x-request-id: \xff\xfe", "location: http://[",
             "retry-after-ms: NaN", "content-type: text/event-stream; charset=\xff"]
        )
    )  # fmt: skip
    first = f"HTTP/1.1 {status} OK\r\ncontent-type: {kind}\r\n{header}\r\nconnection: close\r\n\r\n"
    return bytes(first.encode("latin-1") + body)


@contextlib.contextmanager
def changing_service() -> Iterator[tuple[str, list[bytes]]]:
    """A service that answers with what the list holds."""
    current = [b""]
    with serving(lambda: current) as endpoint:
        yield endpoint, current


@pytest.mark.parametrize("way", ["sync stream", "async"])
@pytest.mark.parametrize(
    ("agent", "names"), [("asst_x", CLASSIC_EVENTS), ("x", NEW_EVENTS)], ids=["classic", "new"]
)
def test_a_services_output(agent: str, names: list[str], way: str) -> None:
    """No call hangs, and no exception is of a class that a caller doesn't know."""
    with changing_service() as (endpoint, current):

        @FUZZ
        @given(answer=reply(names))
        def fuzz(answer: bytes) -> None:
            current[0] = answer
            errors: list[BaseException] = []

            def ask() -> None:
                try:
                    Way(way).ask(
                        model=f"azure_ai/agents/{agent}",
                        messages=HELLO,
                        api_base=endpoint,
                        api_key="k",
                        max_retries=0,
                        timeout=1.5,
                    )
                except BaseException as error:
                    errors.append(error)

            thread = threading.Thread(target=ask, daemon=True)
            thread.start()
            thread.join(30)
            assert not thread.is_alive(), "the call hangs"
            for error in errors:
                assert isinstance(error, openai.APIError), repr(error)
                assert "Traceback" not in str(error)
                assert "Unexpected failure" not in str(error), str(error)[:500]

        fuzz()
