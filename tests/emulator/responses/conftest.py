"""Fixtures of the tests of the new protocol."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure.ai.projects import AIProjectClient
from openai import OpenAI

from litellm_azure_agents.emulator import Emulator
from litellm_azure_agents.emulator.testing import client_options

from .client import Raw


@pytest.fixture
def project(emulator: Emulator) -> Iterator[AIProjectClient]:
    with AIProjectClient(endpoint=emulator.endpoint, **client_options(emulator.token)) as client:
        yield client


@pytest.fixture
def client(project: AIProjectClient) -> Iterator[OpenAI]:
    with project.get_openai_client() as client:
        yield client


@pytest.fixture
def raw(emulator: Emulator) -> Iterator[Raw]:
    client = Raw(emulator)
    yield client
    client.http.close()
