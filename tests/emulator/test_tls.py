"""https by one flag: Microsoft's client as it is, faults, and the certificate's life."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

import httpx
import pytest
from azure.ai.agents import AgentsClient

from litellm_azure_agents.emulator import Emulator
from litellm_azure_agents.emulator.certificates import make_certificate
from litellm_azure_agents.emulator.sdk import LocalCredential


def test_the_official_client_needs_nothing_but_the_certificate() -> None:
    with Emulator(tls=True) as emulator:
        assert emulator.endpoint.startswith("https://127.0.0.1:")
        assert emulator.ca_file is not None
        with AgentsClient(
            endpoint=emulator.endpoint,
            credential=LocalCredential(emulator.token),
            connection_verify=emulator.ca_file,
        ) as client:
            run = client.create_thread_and_process_run(
                agent_id="asst_echo",
                thread={"messages": [{"role": "user", "content": "over https"}]},
                polling_interval=0,
            )
            message = client.messages.get_last_message_text_by_role(run.thread_id, "assistant")
            assert message is not None
            assert message.text.value == "You said: over https"
        with pytest.raises(httpx.ConnectError):  # nobody else is to trust it
            httpx.get(emulator.endpoint)
    assert not Path(emulator.ca_file or "gone").exists()


@pytest.mark.parametrize("mode", ["cut", "reset"])
def test_faults_cut_encrypted_connections_too(mode: str) -> None:
    with Emulator(tls=True) as emulator:
        headers = {
            "authorization": "Bearer x",
            "x-emulator-fault": f"cut-after-events=3;mode={mode}",
        }
        body = {"assistant_id": "asst_echo", "stream": True,
                "thread": {"messages": [{"role": "user", "content": "hi"}]}}  # fmt: skip
        context = ssl.create_default_context(cafile=emulator.ca_file)
        with (
            httpx.Client(verify=context, base_url=emulator.endpoint) as client,
            pytest.raises(httpx.TransportError),
        ):
            client.post("/threads/runs?api-version=v1", json=body, headers=headers)


def test_a_kept_certificate_stays_the_same(tmp_path: Path) -> None:
    place = tmp_path / "tls"
    first = make_certificate("127.0.0.1", str(place))
    pem = first.file.read_bytes()
    assert stat.S_IMODE(first.key_file.stat().st_mode) == 0o600
    first.discard()
    assert make_certificate("127.0.0.1", str(place)).file.read_bytes() == pem
    assert make_certificate("example.test", str(place)).file.read_bytes() != pem
