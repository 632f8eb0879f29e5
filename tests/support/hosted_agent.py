"""An agent on the real hosting SDK, with one behaviour for each word that a test may say.

Run as ``PORT=… python tests/support/hosted_agent.py``. What it was told comes back in its answers,
so that tests see what really arrived: the history, the settings, the headers.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

from azure.ai.agentserver.responses import ResponsesAgentServerHost
from azure.ai.agentserver.responses.aio import ResponseEventStream

app = ResponsesAgentServerHost()
cancelled: list[str] = []
USAGE = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 16,
}


def text_of(item: Any) -> str:
    content = item.get("content") or ""
    if isinstance(content, str):
        return content
    return "|".join(str(part.get("text") or part["type"]) for part in content)


def show(item: Any) -> list[Any]:
    return [item["type"], item.get("role"), text_of(item) or item.get("call_id")]


async def say(stream: Any, *pieces: str, annotation: Any = None) -> Any:
    message = stream.add_output_item_message()
    yield message.emit_added()
    text = message.add_text_content()
    yield text.emit_added()
    for piece in pieces:
        yield text.emit_delta(piece)
    if annotation:
        yield text.emit_annotation_added(annotation)
    yield text.emit_text_done()
    yield text.emit_done()
    yield message.emit_done()


def call(stream: Any, name: str, call_id: str, **arguments: Any) -> Any:
    builder = stream.add_output_item_function_call(name, call_id)
    yield builder.emit_added()
    text = json.dumps(arguments)
    yield builder.emit_arguments_delta(text[:4])
    yield builder.emit_arguments_delta(text[4:])
    yield builder.emit_arguments_done(text)
    yield builder.emit_done()


@app.response_handler
async def handler(request: Any, context: Any, cancellation_signal: asyncio.Event) -> Any:
    stream = ResponseEventStream(response_id=context.response_id, request=request)
    items = [dict(i) for i in await context.get_input_items()]
    history = [dict(i) for i in await context.get_history()]
    outputs = [i for i in items if i["type"] == "function_call_output"]
    approvals = [i for i in items if i["type"] == "mcp_approval_response"]
    words = next((text_of(i) for i in reversed(items) if i.get("role") == "user"), "")
    yield stream.emit_created()
    yield stream.emit_in_progress()
    usage = USAGE
    if words == "seen":
        seen = {
            "items": [show(i) for i in items],
            "history": [show(i) for i in history],
            "outputs": [i["output"] for i in outputs],
            "request": {
                name: value
                for name, value in dict(request).items()
                if name in ("tools", "temperature", "instructions", "metadata", "text", "reasoning",
                            "max_output_tokens", "structured_inputs", "agent_reference", "store",
                            "conversation", "previous_response_id", "agent_session_id", "model")
            },
            "headers": dict(context.client_headers),
            "user": context.platform_context.user_id_key,
        }  # fmt: skip
        async for event in say(stream, json.dumps(seen, default=str)):
            yield event
    elif outputs and any("again" in str(o["output"]) for o in outputs):
        for event in call(stream, "get_weather", "call_again", city="Rome"):
            yield event
    elif outputs:
        text = ", ".join(f"{o['call_id']}={o['output']}" for o in outputs)
        async for event in say(stream, "Results: ", text):
            yield event
    elif approvals:
        text = "approved" if approvals[0]["approve"] else "denied"
        async for event in say(stream, f"The tool was {text}."):
            yield event
    elif words == "weather":
        async for event in say(stream, "Let me look."):
            yield event
        for event in call(stream, "get_weather", "call_paris", city="Paris"):
            yield event
        for event in call(stream, "get_weather", "call_rome", city="Rome"):
            yield event
    elif words == "own tool":
        for event in call(stream, "look_up", "call_own", what="it"):
            yield event
        async for event in stream.output_item_function_call_output("call_own", "found"):
            yield event
        async for event in say(stream, "I looked it up myself."):
            yield event
    elif words == "approval":
        async for event in stream.output_item_mcp_approval_request(
            "files", "read", '{"path": "a"}'
        ):
            yield event
    elif words == "consent":
        item_id = "oauthreq_" + "0" * 50
        builder = stream.add_output_item(item_id)
        fields = {"id": item_id, "type": "oauth_consent_request", "server_label": "mail",
                  "consent_link": "https://login.test/consent"}  # fmt: skip
        yield builder.emit_added(fields)
        yield builder.emit_done(fields)
    elif words == "cite":
        annotation = {"type": "url_citation", "url": "https://a.test", "title": "A",
                      "start_index": 0, "end_index": 5}  # fmt: skip
        async for event in say(stream, "First part."):
            yield event
        async for event in say(stream, "Cited text.", annotation=annotation):
            yield event
    elif words == "think":
        async for event in stream.output_item_reasoning_item("First I think."):
            yield event
        async for event in say(stream, "Then I speak."):
            yield event
    elif words == "raise":
        raise RuntimeError("secret detail")
    elif words == "limit":
        message = "Rate limit is exceeded. Try again in 7 seconds."
        yield stream.emit_failed(code="rate_limit_exceeded", message=message)
        return
    elif words == "late failure":
        async for event in say(stream, "It begins"):
            yield event
        yield stream.emit_failed(code="server_error", message="and breaks")
        return
    elif words == "cut":
        async for event in say(stream, "Half an ans"):
            yield event
        yield stream.emit_incomplete(reason="max_output_tokens", usage=USAGE)
        return
    elif words == "slow":
        message = stream.add_output_item_message()
        yield message.emit_added()
        text = message.add_text_content()
        yield text.emit_added()
        for number in range(200):
            yield text.emit_delta(f"{number} ")
            try:
                await asyncio.wait_for(cancellation_signal.wait(), 0.05)
            except TimeoutError:
                continue
            cancelled.append(context.response_id)
            return
        yield text.emit_text_done()
        yield text.emit_done()
        yield message.emit_done()
    elif words == "die":
        message = stream.add_output_item_message()
        yield message.emit_added()
        text = message.add_text_content()
        yield text.emit_added()
        yield text.emit_delta("last words")
        await asyncio.sleep(0.05)
        os._exit(1)
    elif words == "who was cancelled":
        async for event in say(stream, json.dumps(cancelled)):
            yield event
    elif words == "uncounted":
        usage = None
        async for event in say(stream, "no numbers"):
            yield event
    else:
        pieces = [f"{word} " for word in words.split()]
        async for event in say(stream, "You said: ", *pieces):
            yield event
    yield stream.emit_completed(usage=usage)


if __name__ == "__main__":
    app.run(host="127.0.0.1")
