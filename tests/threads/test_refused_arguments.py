"""What callers get wrong, refused before any request."""

from __future__ import annotations

import json
from typing import Any

import litellm
import pytest
import respx

from tests.support.classic_agent import NEW, ask, streamed
from tests.support.ways import Way


@pytest.mark.parametrize("bad", ["../x", "a/b", "x?y", "a b", "a\nb", ""])
def test_bad_ids_are_refused_before_any_request(service: respx.Router, bad: str, way: Way) -> None:
    with pytest.raises(litellm.BadRequestError):
        ask(way, model=f"azure_ai/agents/{bad}")
    if bad:
        with pytest.raises(litellm.BadRequestError, match="thread_id"):
            ask(way, thread_id=bad)
    assert not service.calls


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"run_mode": "fast"}, "'run_mode'.*'stream' or 'poll'"),
        ({"citations": "no"}, "'keep', 'strip' or 'footnotes'"),
        ({"thread_ID": "x"}, "Did you mean 'thread_id'"),
        ({"poll_interval": 0}, "poll_interval"),
        ({"run_metadata": {str(n): "x" for n in range(17)}}, "run_metadata"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "wizard"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "input_audio"),
        ({"api_base": "nonsense"}, "endpoint"),
        ({"n": 2}, "'n'"),
        ({"seed": 1}, "'seed'"),
        ({"stop": ["x"]}, "'stop'"),
        ({"conversation_id": "conv_1"}, "'conversation_id' is for new agents: use thread_id"),
        ({"background": True}, "'background' is for new agents"),
    ],
)
def test_bad_arguments_are_named(
    service: respx.Router, arguments: dict[str, Any], says: str
) -> None:
    for model in ("azure_ai/agents/asst_rec", "azure_agents/asst_rec"):
        with pytest.raises(litellm.BadRequestError, match=says):
            ask(**{"model": model, **arguments})
    assert not service.calls


def test_parameters_that_agents_lack_have_litellms_class(service: respx.Router) -> None:
    for model in ("azure_ai/agents/asst_rec", "azure_agents/asst_rec"):
        with pytest.raises(litellm.UnsupportedParamsError, match="no stop sequences") as caught:
            ask(model=model, stop=["x"])
        assert "allowed_openai_params" not in str(caught.value), "which wouldn't help"


def test_what_only_new_agents_take_is_no_secret(service: respx.Router) -> None:
    route = service.post(NEW).mock(return_value=streamed())
    with pytest.raises(litellm.BadRequestError, match="'reasoning_effort' is for new agents"):
        ask(reasoning_effort="low")
    assert not route.calls
    ask(reasoning_effort="low", truncation="auto", drop_params=True)
    assert not json.loads(route.calls.last.request.content).keys() & {
        "reasoning_effort",
        "truncation",
    }


def test_values_that_ask_for_nothing_are_nothing(service: respx.Router) -> None:
    """Chat clients send the whole of their settings, and most of them say nothing."""
    route = service.post(NEW).mock(return_value=streamed())
    settings = {
        "n": 1, "stop": [], "logprobs": False, "top_logprobs": 0, "logit_bias": {},
        "presence_penalty": 0, "frequency_penalty": 0.0, "modalities": ["text"],
    }  # fmt: skip
    for model in ("azure_ai/agents/asst_rec", "azure_agents/asst_rec"):
        ask(model=model, **settings)
        assert not json.loads(route.calls.last.request.content).keys() & settings.keys()


def test_drop_params_drops_what_agents_lack(service: respx.Router) -> None:
    route = service.post(NEW).mock(return_value=streamed())
    for model in ("azure_ai/agents/asst_rec", "azure_agents/asst_rec"):
        ask(model=model, seed=1, stop=["x"], n=2, logprobs=True, chat_id="ui-7", drop_params=True)
        body = json.loads(route.calls.last.request.content)
        assert not body.keys() & {"seed", "stop", "n", "logprobs", "chat_id"}
