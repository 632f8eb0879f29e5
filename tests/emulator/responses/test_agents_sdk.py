"""Agents, versions and sessions through Microsoft's client."""

from __future__ import annotations

import openai
import pytest
from azure.ai.projects import AIProjectClient
from azure.ai.projects.models import (
    AgentEndpointConfig,
    FixedRatioVersionSelectionRule,
    FunctionTool,
    HostedAgentDefinition,
    PromptAgentDefinition,
    VersionRefIndicator,
    VersionSelector,
    WorkflowAgentDefinition,
)
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from openai import OpenAI

from litellm_azure_agents.emulator import Emulator
from litellm_azure_agents.emulator.testing import client_options

from .sdk import MODEL, agent


def test_agents_and_their_versions(project: AIProjectClient, client: OpenAI) -> None:
    for number in (1, 2):
        definition = PromptAgentDefinition(model=MODEL, instructions=f"Be number {number}.")
        version = project.agents.create_version(
            "my-agent", definition=definition, metadata={"n": str(number)}, description="mine"
        )
        assert (version.id, version.version) == (f"my-agent:{number}", str(number))
    assert project.agents.get("my-agent").versions.latest.version == "2"
    found = project.agents.get_version("my-agent", "1")
    assert found.definition.instructions == "Be number 1."
    assert found.metadata == {"n": "1"}
    listed = list(project.agents.list_versions("my-agent", order="asc", limit=1))
    assert [v.version for v in listed] == ["1", "2"]
    names = [a.name for a in project.agents.list(limit=7)]
    assert names[0] == "my-agent"
    assert {"echo", "weather", "approval", "workflow"} <= set(names)
    assert [a.name for a in project.agents.list(kind="workflow")] == ["workflow"]

    ask = "What are your instructions?"
    for version, expected in ((None, "2"), ("1", "1")):
        response = client.responses.create(input=ask, extra_body=agent("my-agent", version))
        assert response.output_text == f"My instructions: Be number {expected}."
    assert project.agents.delete_version("my-agent", "2").deleted
    response = client.responses.create(input=ask, extra_body=agent("my-agent"))
    assert response.output_text == "My instructions: Be number 1."
    assert project.agents.delete("my-agent").deleted
    with pytest.raises(ResourceNotFoundError):
        project.agents.get("my-agent")


def test_seeded_versions_of_echo_differ(client: OpenAI) -> None:
    texts = [
        client.responses.create(input="hi", extra_body=agent("echo", v)).output_text
        for v in ("1", "2", None)
    ]
    assert texts == ["Version 1 heard: hi", "You said: hi", "You said: hi"]


def test_the_agents_own_endpoint_and_its_version_selector(project: AIProjectClient) -> None:
    def ask() -> str:
        with project.get_openai_client(agent_name="echo") as client:
            return client.responses.create(input="hi").output_text

    assert ask() == "You said: hi"
    for shares, expected in (
        ({"1": 100}, {"Version 1 heard: hi"}),
        ({"1": 0, "2": 100}, {"You said: hi"}),
    ):
        rules = [
            FixedRatioVersionSelectionRule(agent_version=v, traffic_percentage=share)
            for v, share in shares.items()
        ]
        endpoint = AgentEndpointConfig(
            version_selector=VersionSelector(version_selection_rules=rules)
        )
        updated = project.agents.update_details("echo", agent_endpoint=endpoint)
        assert (
            updated.agent_endpoint.version_selector.version_selection_rules[0].agent_version == "1"
        )
        assert {ask() for _ in range(3)} == expected


def test_disabled_agents_do_not_answer(project: AIProjectClient, client: OpenAI) -> None:
    project.agents.disable("echo")
    with pytest.raises(openai.PermissionDeniedError):
        client.responses.create(input="hi", extra_body=agent("echo"))
    project.agents.enable("echo")
    assert client.responses.create(input="hi", extra_body=agent("echo")).output_text


def test_previews_need_their_key(emulator: Emulator, project: AIProjectClient) -> None:
    definition = WorkflowAgentDefinition(workflow="kind: Workflow")
    with pytest.raises(HttpResponseError) as caught:
        project.agents.create_version("flow", definition=definition)
    assert caught.value.status_code == 403
    assert caught.value.model.error.code == "preview_feature_required"
    assert "allow_preview=True" in str(caught.value)
    options = client_options(emulator.token)
    with AIProjectClient(emulator.endpoint, allow_preview=True, **options) as previewing:
        assert previewing.agents.create_version("flow", definition=definition).version == "1"
    base_url = f"{emulator.endpoint}/agents/workflow/endpoint/protocols/openai"
    plain = OpenAI(base_url=base_url, api_key="t", default_query={"api-version": "v1"})
    with pytest.raises(openai.PermissionDeniedError):
        plain.responses.create(input="go")
    with project.get_openai_client(agent_name="workflow") as client:  # sends the key by itself
        assert client.responses.create(input="go").output_text.endswith("The workflow is done.")


def test_drafts_are_never_the_latest(emulator: Emulator, client: OpenAI) -> None:
    options = client_options(emulator.token)
    with AIProjectClient(emulator.endpoint, allow_preview=True, **options) as project:
        for number, draft in ((1, False), (2, True)):
            definition = PromptAgentDefinition(model=MODEL, instructions=f"Number {number}.")
            project.agents.create_version("drafted", definition=definition, draft=draft)
        assert project.agents.get("drafted").versions.latest.version == "1"
        assert [v.version for v in project.agents.list_versions("drafted")] == ["1"]
        every = project.agents.list_versions("drafted", include_drafts=True, order="asc")
        assert [v.version for v in every] == ["1", "2"]
    ask = "What are your instructions?"
    for version, expected in ((None, "1"), ("2", "2")):
        response = client.responses.create(input=ask, extra_body=agent("drafted", version))
        assert response.output_text == f"My instructions: Number {expected}."


def test_bad_definitions(project: AIProjectClient) -> None:
    tool = FunctionTool(name="bad name", parameters={}, strict=False)
    for name, definition in (
        ("x", PromptAgentDefinition(model=MODEL, tools=[tool])),
        ("-x-", PromptAgentDefinition(model=MODEL)),
        ("x", PromptAgentDefinition(model="")),
    ):
        with pytest.raises(HttpResponseError) as caught:
            project.agents.create_version(name, definition=definition)
        assert caught.value.status_code == 400


def test_hosted_agents_have_sessions(project: AIProjectClient) -> None:
    definition = HostedAgentDefinition(cpu="1", memory="2Gi")
    project.agents.create_version("mine", definition=definition)
    indicator = VersionRefIndicator(agent_version="1")
    session = project.agents.create_session("mine", version_indicator=indicator)
    assert session.status == "active"
    with project.get_openai_client(agent_name="mine") as client:
        body = {"agent_session_id": session.agent_session_id}
        answer = client.responses.with_raw_response.create(input="hi", extra_body=body)
        assert answer.headers["x-agent-session-id"] == session.agent_session_id
        first = client.responses.create(input="hi")
        second = client.responses.create(input="again", previous_response_id=first.id)
        assert first.agent_session_id == second.agent_session_id != session.agent_session_id
        impersonated = client.with_options(default_headers={"x-ms-user-identity": "ann"})
        hers = impersonated.responses.create(input="private")
        with pytest.raises(openai.NotFoundError):
            client.responses.create(input="and?", previous_response_id=hers.id)
        assert impersonated.responses.create(input="and?", previous_response_id=hers.id)
    assert len(list(project.agents.list_sessions("mine"))) == 3
    id = session.agent_session_id
    content = project.agents.upload_session_file("mine", id, b"hello", path="notes/a.txt")
    assert content.bytes_written == 5
    entries = list(project.agents.list_session_files("mine", id, path="."))
    assert [(e.name, e.is_directory) for e in entries] == [("notes", True)]
    data = project.agents.download_session_file("mine", id, path="notes/a.txt")
    assert b"".join(data) == b"hello"
    project.agents.delete_session_file("mine", id, path="notes", recursive=True)
    assert not list(project.agents.list_session_files("mine", id, path="."))
    with pytest.raises(HttpResponseError) as caught:
        project.agents.delete("mine")
    assert caught.value.status_code == 409
    project.agents.stop_session("mine", id)
    assert project.agents.get_session("mine", id).status == "idle"
    project.agents.delete_session("mine", id)
    assert project.agents.delete("mine", force=True).deleted
