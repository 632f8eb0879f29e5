"""The official clients on the new protocol, unmodified but for endpoint and credential."""

from __future__ import annotations

import base64
import io
import json

import openai
import pytest
from azure.ai.projects import AIProjectClient
from azure.ai.projects.models import (
    CodeInterpreterTool,
    FileSearchTool,
    FunctionTool,
    MCPTool,
    PromptAgentDefinition,
    PromptAgentDefinitionTextOptions,
    StructuredInputDefinition,
    TextResponseFormatJsonSchema,
)
from openai import OpenAI
from pydantic import BaseModel

from litellm_azure_agents.emulator import Emulator

from .sdk import MODEL, agent


def test_conversations_and_items(client: OpenAI) -> None:
    conversation = client.conversations.create(
        items=[{"type": "message", "role": "user", "content": "one"}], metadata={"k": "v"}
    )
    response = client.responses.create(conversation=conversation.id, extra_body=agent("echo"))
    assert response.output_text == "You said: one"
    assert response.conversation.id == conversation.id
    client.conversations.items.create(
        conversation.id, items=[{"role": "user", "content": f"more {n}"} for n in range(5)]
    )
    listed = list(client.conversations.items.list(conversation.id, limit=2, order="asc"))
    assert len(listed) == 7
    assert listed[0].content[0].text == "one"
    assert listed[1].content[0].text == "You said: one"
    first = client.conversations.items.retrieve(listed[0].id, conversation_id=conversation.id)
    assert first.role == "user"
    client.conversations.items.delete(listed[0].id, conversation_id=conversation.id)
    with pytest.raises(openai.NotFoundError):
        client.conversations.items.retrieve(listed[0].id, conversation_id=conversation.id)
    updated = client.conversations.update(conversation.id, metadata={"k": "w"})
    assert client.conversations.retrieve(conversation.id).metadata == updated.metadata == {"k": "w"}
    assert client.conversations.delete(conversation.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.conversations.retrieve(conversation.id)


def test_stored_responses(client: OpenAI) -> None:
    response = client.responses.create(
        input=[{"role": "user", "content": [
            {"type": "input_text", "text": "look"},
            {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "auto"},
        ]}],
        extra_body=agent("echo"),
    )  # fmt: skip
    assert response.output_text == "You said: look (with 1 image)"
    assert client.responses.retrieve(response.id).output == response.output
    (item,) = client.responses.input_items.list(response.id)
    assert item.content[1].image_url.startswith("data:")
    with pytest.raises(openai.BadRequestError, match="synchronous"):
        client.responses.cancel(response.id)
    client.responses.delete(response.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)


def test_streaming_helper_sees_every_event(client: OpenAI) -> None:
    with client.responses.stream(
        model=MODEL, input="a b c", instructions="x", max_output_tokens=50
    ) as stream:
        texts = [e.delta for e in stream if e.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert "".join(texts) == final.output_text == "You said: a b c"


def test_parsed_output(client: OpenAI) -> None:
    class Order(BaseModel):
        city: str
        count: int

    parsed = client.responses.parse(model=MODEL, input="2 to Rome", text_format=Order)
    assert parsed.output_parsed == Order(city="Rome", count=2)


def test_function_tools_over_two_turns(project: AIProjectClient, client: OpenAI) -> None:
    parameters = {
        "type": "object",
        "properties": {"sign": {"type": "string", "description": "An astrological sign"}},
        "required": ["sign"],
        "additionalProperties": False,
    }
    tool = FunctionTool(
        name="get_horoscope", description="Today's horoscope", parameters=parameters, strict=True
    )
    definition = PromptAgentDefinition(model=MODEL, instructions="Help.", tools=[tool])
    project.agents.create_version("stars", definition=definition)
    first = client.responses.create(
        input="What is my horoscope? I am an Aquarius.", extra_body=agent("stars")
    )
    (call,) = first.output
    assert (call.type, call.name) == ("function_call", "get_horoscope")
    assert json.loads(call.arguments) == {"sign": "Aquarius"}
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "an otter"}
    final = client.responses.create(
        input=[output], previous_response_id=first.id, extra_body=agent("stars")
    )
    assert "an otter" in final.output_text

    conversation = client.conversations.create()
    streamed = client.responses.create(
        input="Weather in Oslo?", conversation=conversation.id, stream=True,
        extra_body=agent("weather"),
    )  # fmt: skip
    names = [e.name for e in streamed if e.type == "response.function_call_arguments.done"]
    assert names == ["get_weather"]
    with pytest.raises(openai.BadRequestError, match="No tool output found for function call"):
        client.responses.create(
            input="hello?", conversation=conversation.id, extra_body=agent("weather")
        )
    items = list(client.conversations.items.list(conversation.id))
    output = {"type": "function_call_output", "call_id": items[0].call_id, "output": "snow"}
    final = client.responses.create(
        input=[output], conversation=conversation.id, extra_body=agent("weather")
    )
    assert "snow" in final.output_text


@pytest.mark.parametrize("approve", [True, False])
def test_mcp_approval(project: AIProjectClient, client: OpenAI, approve: bool) -> None:
    tool = MCPTool(
        server_label="specs", server_url="https://example.com", require_approval="always"
    )
    definition = PromptAgentDefinition(model=MODEL, tools=[tool])
    project.agents.create_version("mcp", definition=definition)
    conversation = client.conversations.create()
    first = client.responses.create(
        conversation=conversation.id, input="Search the specs", extra_body=agent("mcp")
    )
    kinds = [item.type for item in first.output]
    assert kinds == ["mcp_list_tools", "mcp_approval_request"]
    with pytest.raises(openai.BadRequestError, match="do not have an approval"):
        client.responses.create(input="x", previous_response_id=first.id, extra_body=agent("mcp"))
    answer = {
        "type": "mcp_approval_response",
        "approve": approve,
        "approval_request_id": first.output[1].id,
    }
    final = client.responses.create(
        input=[answer], previous_response_id=first.id, extra_body=agent("mcp")
    )
    if approve:
        call, message = final.output
        assert (call.type, call.server_label, call.status) == ("mcp_call", "specs", "completed")
        assert call.approval_request_id == first.output[1].id
        assert call.output in message.content[0].text
    else:
        assert final.output_text == "I was not allowed to use specs.search."


def test_mcp_without_approval(project: AIProjectClient, client: OpenAI) -> None:
    tool = MCPTool(
        server_label="specs", server_url="https://example.com", require_approval="never",
        allowed_tools=["find_page"],
    )  # fmt: skip
    project.agents.create_version(
        "mcp", definition=PromptAgentDefinition(model=MODEL, tools=[tool])
    )
    response = client.responses.create(input="find it", extra_body=agent("mcp"))
    assert [i.type for i in response.output] == ["mcp_list_tools", "mcp_call", "message"]
    assert response.output[1].name == "find_page"
    again = client.responses.create(
        input="once more", previous_response_id=response.id, extra_body=agent("mcp")
    )
    assert [i.type for i in again.output] == ["mcp_call", "message"]  # listed once only


def test_file_search_with_citations(project: AIProjectClient, client: OpenAI) -> None:
    store = client.vector_stores.create(name="docs")
    file = io.BytesIO(b"The deposit is 50 euros. Cats are allowed.")
    file.name = "rules.md"
    added = client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=file)
    assert added.status == "completed"
    tool = FileSearchTool(vector_store_ids=[store.id])
    project.agents.create_version(
        "docs", definition=PromptAgentDefinition(model=MODEL, tools=[tool])
    )
    response = client.responses.create(input="How much is the deposit?", extra_body=agent("docs"))
    search, message = response.output
    assert (search.type, search.status, search.results) == ("file_search_call", "completed", None)
    text = message.content[0]
    assert text.text.startswith("The deposit is 50 euros.")
    (citation,) = text.annotations
    assert (citation.type, citation.filename) == ("file_citation", "rules.md")
    assert text.text[citation.index :].startswith("【")
    assert client.files.retrieve(citation.file_id).filename == "rules.md"
    response = client.responses.create(
        input="Are cats allowed?", include=["file_search_call.results"], extra_body=agent("docs")
    )
    assert "Cats" in response.output[0].results[0].text
    assert [f.id for f in client.files.list(purpose="assistants")] == [citation.file_id]
    batch = client.vector_stores.file_batches.create_and_poll(store.id, file_ids=[citation.file_id])
    assert batch.file_counts.completed == 1
    assert client.files.delete(citation.file_id).deleted


def test_code_interpreter_files(project: AIProjectClient, client: OpenAI) -> None:
    definition = PromptAgentDefinition(model=MODEL, tools=[CodeInterpreterTool()])
    project.agents.create_version("coder", definition=definition)
    response = client.responses.create(
        input="Plot 1 2 3 and export a csv file",
        include=["code_interpreter_call.outputs"],
        extra_body=agent("coder"),
    )
    call, message = response.output
    assert "plt.bar" in call.code
    logs, image = call.outputs
    assert logs.logs == "6\n"
    data = base64.b64decode(image.url.partition(",")[2])
    citations = {a.filename: a for a in message.content[0].annotations}
    assert set(citations) == {"plot.png", "values.csv"}
    for name, start in (("plot.png", data), ("values.csv", b"index,value\n0,1\n")):
        citation = citations[name]
        assert citation.container_id == call.container_id
        content = client.containers.files.content.retrieve(
            file_id=citation.file_id, container_id=citation.container_id
        )
        assert content.read().startswith(start)
    csv = citations["values.csv"]
    assert message.content[0].text[csv.start_index : csv.end_index].startswith("sandbox:")


def test_definition_fields_shape_the_answer(project: AIProjectClient, client: OpenAI) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    text = PromptAgentDefinitionTextOptions(
        format=TextResponseFormatJsonSchema(name="answer", schema=schema)
    )
    definition = PromptAgentDefinition(
        model="gpt-4o", instructions="Greet {{name}}.", temperature=0.25, text=text,
        structured_inputs={"name": StructuredInputDefinition(description="n", required=True)},
    )  # fmt: skip
    project.agents.create_version("shaped", definition=definition)
    body = {**agent("shaped"), "structured_inputs": {"name": "Ann"}}
    response = client.responses.create(input="I go to Lima", extra_body=body)
    assert json.loads(response.output_text) == {"city": "Lima"}
    assert response.instructions == "Greet Ann."
    assert (response.model, response.temperature) == ("gpt-4o", 0.25)


def test_refused_tools_reach_the_caller(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(
            input="hi", tools=[{"type": "web_search"}], extra_body=agent("echo")
        )
    assert caught.value.code == "invalid_payload"
    assert caught.value.param == "tools"
    assert caught.value.body["message"] == "Not allowed when agent is specified."


def test_applications_are_stateless(emulator: Emulator) -> None:
    client = OpenAI(
        base_url=f"{emulator.endpoint}/applications/echo/protocols/openai",
        api_key=emulator.token,
        default_query={"api-version": "2025-11-15-preview"},
    )
    response = client.responses.create(
        input=[
            {"role": "user", "content": "my cat is Tom"},
            {"role": "assistant", "content": "nice"},
            {"role": "user", "content": "What did I say before?"},
        ]
    )
    assert response.output_text == "Earlier you said: 1. my cat is Tom"
    with pytest.raises(openai.BadRequestError, match="previous_response_id"):
        client.responses.create(input="x", previous_response_id=response.id)
    for call in (
        lambda: client.responses.retrieve(response.id),
        lambda: client.conversations.create(),
        lambda: client.files.list(),
    ):
        with pytest.raises(openai.NotFoundError):
            call()
