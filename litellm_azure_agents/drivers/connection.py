"""A call and what it needs to be made: drivers with its token, headers and time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..auth.resolve import TokenSource, resolve_token_source
from ..core import errors
from ..core.actions import Actions, Job, Steps
from ..core.call import Call
from ..core.errors import CredentialError
from ..stores.base import Guard
from .aio import AsyncDriver, Setup
from .pool import HttpSettings
from .sync import SyncDriver


@dataclass(frozen=True, slots=True)
class Requests:
    """A job of ``actions`` that needs no cleaning up when it ends early."""

    actions: Actions[Any]

    def run(self) -> Actions[Any]:
        return self.actions

    def abandon(self) -> Steps:
        yield from ()


@dataclass(frozen=True, slots=True)
class Connection:
    """Makes drivers for a call, and performs jobs with them."""

    call: Call
    token: TokenSource
    http: HttpSettings
    store: Guard | None = None
    """Where threads are remembered, if the operator wants that."""

    def sync_driver(self) -> SyncDriver:
        return SyncDriver(self._setup())

    def async_driver(self) -> AsyncDriver:
        return self._setup().driver()

    def _setup(self) -> Setup:
        call = self.call
        limit = call.options.max_response_bytes
        return Setup(self.token, call.headers, call.remaining(), self.http, limit, store=self.store)

    def perform(self, job: Job) -> Any:
        """The job's value. Raises LiteLLM's exceptions for what the service refuses."""
        try:
            return self.sync_driver().perform(job)
        except CredentialError as error:
            raise errors.authentication(self.call.context, str(error)) from error.__cause__

    async def aperform(self, job: Job) -> Any:
        """As `perform`."""
        try:
            return await self.async_driver().perform(job)
        except CredentialError as error:
            raise errors.authentication(self.call.context, str(error)) from error.__cause__


def open_connection(call: Call, http: HttpSettings, **credentials: Any) -> Connection:
    """A connection whose tokens come from ``credentials``, the arguments of `resolve_token_source`.

    Sends nothing. Raises AuthenticationError for credentials that can't work.
    """
    try:
        token = resolve_token_source(**credentials)
    except CredentialError as error:
        raise errors.authentication(call.context, str(error)) from None
    return Connection(_keeping_secret(call, token), token, http)


def _keeping_secret(call: Call, token: TokenSource) -> Call:
    """``call``, whose errors don't show the tokens of ``token`` either."""
    context, known = call.context, call.context.secrets
    secrets = lambda: (*known(), *token.secrets())  # noqa: E731
    return replace(call, context=replace(context, secrets=secrets))
