"""https by one flag: Microsoft's client as it is, faults, and the certificate's life."""

from __future__ import annotations

import contextlib
import ssl
import stat
from pathlib import Path

import httpx
import pytest
from azure.ai.agents import AgentsClient

from litellm_azure_agents.emulator import Emulator
from litellm_azure_agents.emulator.certificates import Certificate, make_certificate
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


def test_a_kept_authority_vouches_for_every_certificate(tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    first = make_certificate("127.0.0.1", str(folder))
    pem = first.ca_file.read_bytes()
    for secret in (folder / "emulator.key", first.server_file):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    first.discard()
    assert not first.server_file.exists()
    again = make_certificate("127.0.0.1", str(folder))
    assert again.ca_file.read_bytes() == pem
    other = make_certificate("example.test", str(folder))
    assert other.ca_file.read_bytes() == pem
    assert other.server_file.read_bytes() != again.server_file.read_bytes()
    assert handshake(other, "example.test") == "example.test"
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(again, "example.test")
    for certificate in (again, other):
        certificate.discard()


def handshake(certificate: Certificate, name: str) -> str | None:
    """Connect to a server by this name, trusting the authority only, without a socket."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate.server_file)
    trusting = ssl.create_default_context(cafile=certificate.ca_file)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server, server_hostname=name)
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for side in (client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    return client.server_hostname if client.version() and client.getpeercert() else None
