"""A streamed chat of three turns with one function call, on one thread, printed as it comes.

    python examples/chat.py

Without AZURE_AI_PROJECT_ENDPOINT it starts the embedded emulator and talks to that; with it, to
your project, and the agent that AZURE_AI_AGENT names (`asst_…`, or a new agent's name). Nothing
else differs.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # no look-up of prices on the network

import litellm

import litellm_azure_agents

litellm.suppress_debug_info = True
litellm_azure_agents.register()  # the one line that makes agents models

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather at a place.",
        "parameters": {
            "type": "object",
            "properties": {"location": {"type": "string"}},
            "required": ["location"],
        },
    },
}
QUESTIONS = (
    "My name is Ada.",
    "What is the weather in Paris?",
    "What did I say before?",
)


def get_weather(location: str) -> str:
    """What your application would look up."""
    return f"18 °C and a light breeze in {location}"


def stream(messages: list[dict[str, Any]], **where: Any) -> tuple[Any, list[Any]]:
    """One streamed answer, printed; returns the message and the chunks."""
    chunks = []
    for chunk in litellm.completion(
        messages=messages, tools=[WEATHER], stream=True,
        stream_options={"include_usage": True}, **where,
    ):  # fmt: skip
        chunks.append(chunk)
        if chunk.choices:
            print(chunk.choices[0].delta.content or "", end="", flush=True)
    return litellm.stream_chunk_builder(chunks).choices[0].message, chunks


def main(**where: Any) -> None:
    """The chat: the history grows, and LiteLLM is given the whole of it each time."""
    messages: list[dict[str, Any]] = []
    thread_id = None
    for question in QUESTIONS:
        print(f"\nyou    {question}\nagent  ", end="")
        messages.append({"role": "user", "content": question})
        message, chunks = stream(messages, thread_id=thread_id, **where)
        thread_id = message.provider_specific_fields["thread_id"]
        while message.tool_calls:
            messages.append(message.model_dump(exclude_none=True))
            for call in message.tool_calls:
                result = get_weather(**json.loads(call.function.arguments))
                print(
                    f"[{call.function.name}{call.function.arguments} → {result}]\n       ", end=""
                )
                messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
            message, chunks = stream(messages, **where)
        messages.append({"role": "assistant", "content": message.content})
        usage = next(c.usage for c in reversed(chunks) if getattr(c, "usage", None))
        cost = getattr(usage, "cost", None)
        print(f"\n       ({usage.total_tokens} tokens, {f'${cost:.6f}' if cost else 'no price'})")
    print(f"\nthread {thread_id}")


if __name__ == "__main__":
    with contextlib.ExitStack() as stack:
        if os.environ.get("AZURE_AI_PROJECT_ENDPOINT"):
            agent = os.environ.get("AZURE_AI_AGENT") or sys.exit("set AZURE_AI_AGENT")
            main(model=f"azure_ai/agents/{agent}")
        else:
            from litellm_azure_agents.emulator import Emulator

            emulator = stack.enter_context(Emulator())
            print(f"emulator {emulator.endpoint}")
            for agent in ("asst_weather", "weather"):
                print(f"\n── {agent} " + "─" * 50)
                main(
                    model=f"azure_ai/agents/{agent}",
                    api_base=emulator.endpoint,
                    api_key=emulator.token,
                )
