"""A project and who asks: for requests beside completions (files, vector stores)."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..auth.resolve import CredentialError, TokenSource, resolve_token_source
from ..core import errors
from ..core.actions import Job
from ..core.call import Call
from ..core.endpoint import API_VERSIONS, Endpoint, resolve_base
from ..core.options import Options, Params
from ..host.arguments import read_retries, read_timeout
from . import AsyncDriver, SyncDriver


@dataclass(frozen=True, slots=True)
class Connection:
    """Performs jobs, sync or async; what the service refuses is raised as LiteLLM's exceptions."""

    call: Call
    token: TokenSource

    def perform(self, job: Job) -> Any:
        """The job's value."""
        driver = SyncDriver(self.token, self.call.headers, timeout=self.call.remaining())
        try:
            return driver.perform(job)
        except CredentialError as error:
            raise errors.authentication(self.call.context, str(error)) from error.__cause__

    async def aperform(self, job: Job) -> Any:
        """The job's value, async."""
        driver = AsyncDriver(self.token, self.call.headers, timeout=self.call.remaining())
        try:
            return await driver.perform(job)
        except CredentialError as error:
            raise errors.authentication(self.call.context, str(error)) from error.__cause__


def connect(
    *,
    api_base: str | None = None,
    api_key: str | None = None,
    api_version: str | None = None,
    azure_ad_token: Any = None,
    azure_ad_token_provider: Any = None,
    credential: Any = None,
    tenant_id: str | None = None,
    client_id: str | None = None,
    client_secret: str | None = None,
    azure_scope: str | None = None,
    timeout: float | None = None,
    max_retries: int | None = None,
    extra_headers: Mapping[str, str] | None = None,
    protocol: Literal["threads", "responses"] = "threads",
) -> Connection:
    """A connection by the arguments and environment variables that completions take, too.

    ``protocol="responses"`` means what new agents have, under ``/openai/v1``.
    """
    context = errors.Context(model=api_base or "", provider="azure_ai", agent="")
    try:
        base = resolve_base(api_base)
        context.model = base
        endpoint = Endpoint(base, api_version or API_VERSIONS[0])
        if protocol == "responses":
            endpoint = Endpoint(f"{base}/openai/v1", api_version)
        seconds, retries = read_timeout(timeout), read_retries(max_retries)
        token = resolve_token_source(
            api_key=api_key,
            azure_ad_token=azure_ad_token,
            azure_ad_token_provider=azure_ad_token_provider,
            credential=credential,
            tenant_id=tenant_id,
            client_id=client_id,
            client_secret=client_secret,
            scope=azure_scope,
        )
    except CredentialError as error:
        raise errors.authentication(context, str(error)) from None
    except ValueError as error:
        raise errors.bad_request(context, str(error)) from None
    call = Call(
        agent="",
        endpoint=endpoint,
        messages=(),
        options=Options.model_validate({}),
        params=Params(),
        context=context,
        clock=time.monotonic,
        started=time.monotonic(),
        timeout=seconds,
        random=random.random,
        max_retries=retries,
        headers={"Accept": "application/json", **(extra_headers or {})},
    )
    return Connection(call, token)
