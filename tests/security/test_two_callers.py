"""Two callers on one deployment: what the one does wrong is never felt by the other.

A Router cools a deployment down after some kinds of errors: for seconds every caller gets a 429.
A caller's own mistake must be none of these kinds.
"""

from __future__ import annotations

import asyncio
from typing import Any

import litellm
import pytest

from litellm_azure_agents.emulator import Emulator
from tests.faults.proxy import Fault, FaultProxy, no_faults, once
from tests.faults.turns import Service

HELLO = [{"role": "user", "content": "hello"}]


def user(content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}]}


def result(call_id: str) -> list[dict[str, Any]]:
    call = {"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    return [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call_id, "content": "1"},
    ]


BOTH: dict[str, dict[str, Any]] = {
    "a second authorization": {"extra_headers": {"authorization": "Bearer other"}},
    "a host": {"extra_headers": {"Host": "elsewhere.test"}},
    "a length": {"extra_headers": {"Content-Length": "3"}},
    "a framing": {"extra_headers": {"Transfer-Encoding": "chunked"}},
    "a line break in a header": {"extra_headers": {"x-client-a": "a\r\nb: c"}},
    "a header beyond ASCII": {"extra_headers": {"x-client-a": "\u4f60\u597d"}},
    "a header that is no text": {"extra_headers": {"x-client-a": ["a"]}},
    "a tiny timeout": {"timeout": 0.0001},
    "a negative timeout": {"timeout": -1},
    "a surrogate in the text": user("\ud83d"),
    "a surrogate in a part": user([{"type": "text", "text": "a\udc00"}]),
    "an unknown part": user([{"type": "hologram", "hologram": 1}]),
    "an unknown role": {"messages": [{"role": "king", "content": "x"}]},
    "an unknown option": {"surely_unknown": 1},
    "a bad option": {"run_mode": "sideways"},
    "a bad number": {"temperature": 1e308},
    "a huge number": {"max_tokens": 10**40},
    "long metadata": {"run_metadata": {"a": "x" * 600}},
    "much metadata": {"run_metadata": {str(n): "x" for n in range(30)}},
    "a tool result without a call": {"messages": [
        *HELLO, {"role": "tool", "tool_call_id": "call_none", "content": "1"}]},
    "a tool result of nobody's": {"messages": result("call_unknown")},
    "a tool without a name": {"tools": [{"type": "function", "function": {}}]},
    "an unknown tool choice": {"tool_choice": {"type": "function", "function": {"name": "no"}}},
    "a bad response format": {"response_format": {"type": "json_schema"}},
    "a thread of another kind": {"thread_id": "file_1"},
    "a path in an id": {"thread_id": "../../threads"},
    "a data URL that is none": user(
        [{"type": "image_url", "image_url": {"url": "data:image/png;base64,%%%"}}]),
}  # fmt: skip
"""Mistakes with either kind of agent."""
CLASSIC = {
    "an unknown thread": {"thread_id": "thread_000000000000000000000000"},
    "too few tokens": {"max_prompt_tokens": 1},
    "a bad truncation": {"truncation_strategy": {"type": "all"}},
}
NEW = {
    "an unknown conversation": {"conversation_id": "conv_000000000000000000000000"},
    "an unknown response": {"previous_response_id": "resp_000000000000000000000000"},
    "a bad include": {"include": ["everything"]},
    "a function that the agent lacks": {
        "tools": [{"type": "function", "function": {"name": "none_such", "parameters": {}}}]
    },
}
CASES = [("asst_echo", name, mistake) for name, mistake in {**BOTH, **CLASSIC}.items()]
CASES += [("echo", name, mistake) for name, mistake in {**BOTH, **NEW}.items()]


def router(emulator: Emulator, agent: str) -> litellm.Router:
    """One deployment, and a Router that cools it down after one failure."""
    return litellm.Router(
        model_list=[{
            "model_name": "agent",
            "litellm_params": {
                "model": f"azure_ai/agents/{agent}",
                "api_base": emulator.endpoint,
                "api_key": emulator.token,
            },
        }],
        num_retries=0,
        allowed_fails=0,
        cooldown_time=60,
    )  # fmt: skip


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("agent", "mistake"),
    [pytest.param(agent, mistake, id=f"{agent}, {name}") for agent, name, mistake in CASES],
)
def test_a_mistake_is_the_callers_own(
    emulator: Emulator, agent: str, mistake: dict[str, Any], streamed: bool
) -> None:
    """Caller A is refused, or answered; caller B is answered at once."""

    async def go() -> None:
        routed = router(emulator, agent)
        for _ in range(2):  # LiteLLM forgives a deployment its first failure in some versions
            try:
                answer = await routed.acompletion(
                    **{"model": "agent", "messages": HELLO, "stream": streamed, **mistake}
                )
                if streamed:
                    async for _chunk in answer:
                        pass
            except Exception:
                pass  # which error it is: `test_a_mistake_has_a_class_of_its_own`
        other = await routed.acompletion(model="agent", messages=HELLO)
        assert other.choices[0].message.content == "You said: hello"

    asyncio.run(go())


@pytest.mark.parametrize(
    ("agent", "mistake"),
    [
        pytest.param(agent, mistake, id=f"{agent}, {name}")
        for agent, name, mistake in CASES
        if "timeout" not in name and name != "an unknown part"  # LiteLLM's own refusal of it
    ],
)
def test_a_mistake_has_a_class_of_its_own(
    emulator: Emulator, agent: str, mistake: dict[str, Any]
) -> None:
    """A 4xx of LiteLLM's that says what is wrong, and nothing of our inside; or an answer."""
    try:
        litellm.completion(
            model=f"azure_ai/agents/{agent}",
            api_base=emulator.endpoint,
            api_key=emulator.token,
            **{"messages": HELLO, **mistake},
        )
    except Exception as error:
        status = getattr(error, "status_code", None)
        problem = f"{type(error).__name__}, status {status}: {error}"
        assert status in (400, 403, 404, 409, 413, 422), problem
        assert "Traceback" not in str(error), problem  # noqa: PT017
        assert "Unexpected failure" not in str(error), problem  # noqa: PT017


# -- headers of a request --------------------------------------------------------------------------

FORBIDDEN = {
    "authorization": "Bearer other", "Authorization": "Bearer other", "AUTHORIZATION": "x",
    "api-key": "k", "Host": "elsewhere.test", "Cookie": "a=b", "Transfer-Encoding": "chunked",
    "Content-Length": "3", "Proxy-Authorization": "Basic x", "Connection": "close",
}  # fmt: skip
"""Credentials, host and framing: not even a developer may give these for one call."""


@pytest.mark.parametrize("name", FORBIDDEN)
@pytest.mark.parametrize("agent", ["asst_echo", "echo"])
def test_no_header_of_a_caller_replaces_ours(emulator: Emulator, agent: str, name: str) -> None:
    with pytest.raises(litellm.BadRequestError, match=f"(?i){name}"):
        litellm.completion(
            model=f"azure_ai/agents/{agent}",
            api_base=emulator.endpoint,
            api_key=emulator.token,
            messages=HELLO,
            extra_headers={name: FORBIDDEN[name]},
        )
    assert not emulator.requests


@pytest.mark.parametrize("agent", ["asst_echo", "echo"])
def test_a_developers_own_headers_pass(emulator: Emulator, agent: str) -> None:
    given = {"x-client-team": "blue", "traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"}
    litellm.completion(
        model=f"azure_ai/agents/{agent}",
        api_base=emulator.endpoint,
        api_key=emulator.token,
        messages=HELLO,
        extra_headers=given,
    )
    assert given.items() <= emulator.requests[-1].headers.items()


# -- whose answer it is ----------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
def test_a_call_id_given_twice_gives_no_other_turns_answer(
    emulator: Emulator, streamed: bool
) -> None:
    """A proxy's client may choose `litellm_call_id`, so it doesn't say whose run it is."""
    thread = Service(emulator).post("/threads")["id"]

    def ask(proxy: FaultProxy, text: str) -> str:
        answer: Any = litellm.completion(
            model="azure_ai/agents/asst_echo",
            api_base=proxy.at(emulator.endpoint),
            api_key=emulator.token,
            messages=[{"role": "user", "content": text}],
            thread_id=thread,
            litellm_call_id="chosen-by-the-client",
            stream=streamed,
        )
        if not streamed:
            return str(answer.choices[0].message.content)
        return "".join(chunk.choices[0].delta.content or "" for chunk in answer if chunk.choices)

    with FaultProxy(emulator.url, keep_alive=False) as proxy:
        assert ask(proxy, "first") == "You said: first"
        proxy.plan = once(Fault("request", "reset"), method="POST")
        assert ask(proxy, "second") == "You said: second"
        proxy.plan = no_faults
    users = [
        m for m in Service(emulator).list(f"/threads/{thread}/messages") if m["role"] == "user"
    ]
    assert len(users) == 2
