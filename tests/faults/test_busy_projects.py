"""What an attempt has started is found however much others have started since."""

from __future__ import annotations

from typing import Any

import litellm
import pytest

from litellm_azure_agents.emulator import Emulator
from tests.faults.proxy import Arrival, Fault, FaultProxy, Plan
from tests.faults.turns import Service

OTHERS = 130
"""More than a page of a list."""


def crowded(service: Service, agent: str) -> Plan:
    """The reply to the first POST is lost; before anybody looks, others make the list long."""
    done: list[str] = []

    def plan(arrival: Arrival) -> Fault | None:
        if arrival.method == "POST" and not done:
            done.append("lost")
            return Fault("response", "reset", after=0, upstream="drain")
        if arrival.method == "GET" and len(done) == 1:
            done.append("crowded")
            body = {"input": "another", "agent_reference": {"type": "agent_reference",
                                                            "name": agent}}  # fmt: skip
            for _ in range(OTHERS):
                if agent.startswith("asst_"):
                    service.post("/threads")
                else:
                    service.post("/openai/v1/responses", body)
        return None

    return plan


@pytest.mark.parametrize("agent", ["asst_echo", "echo"])
def test_a_lost_turn_is_found_behind_those_of_others(emulator: Emulator, agent: str) -> None:
    service = Service(emulator)
    with FaultProxy(emulator.url, keep_alive=False) as proxy:
        proxy.plan = crowded(service, agent)
        answer: Any = litellm.completion(
            model=f"azure_ai/agents/{agent}",
            messages=[{"role": "user", "content": "hello"}],
            api_base=proxy.at(emulator.endpoint),
            api_key=emulator.token,
        )
    assert answer.choices[0].message.content == "You said: hello"
    assert service.texts()["user", "hello"] == 1
    assert service.texts()["user", "another"] in (0, OTHERS)
