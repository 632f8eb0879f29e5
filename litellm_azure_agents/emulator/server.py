"""An emulator on a port of its own, in a background thread, as a context manager."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from .app import RouteGroup, create_app
from .core.settings import Settings, Strictness
from .engine.toolbox import Interpreter
from .middleware.faults import CuttableProtocol, Faults
from .middleware.request_log import RequestRecord
from .models.base import Model
from .models.rules import RuleModel
from .project import Project, open_project
from .seeds import add_agents

if TYPE_CHECKING:
    from .certificates import Certificate

T = TypeVar("T")
PROJECT_PATH = "/api/projects/local"
START_TIMEOUT = 30.0
STOP_TIMEOUT = (
    60.0  # after its first call, LiteLLM imports its proxy on our loop: seconds under load
)
KEEP_ALIVE = 75  # seconds; longer than clients keep idle connections: none is closed in use
LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")


class Emulator:
    """A local Foundry project.

    with Emulator() as emulator:
        client = SomeClient(emulator.endpoint, token=emulator.token)

    `token` None accepts any non-empty bearer token (`.token` is then one that works). `data` is
    the path of a SQLite file to keep everything in. `groups` and `extra_routes` add routes (see
    `app`). `settings` are the other fields of `Settings`; `strictness` switches what is unconfirmed
    about the real service.

    `model` answers instead of the built-in rules: a `Model`, or the name of a model that LiteLLM
    can call. For the latter, `model_options` are added to every call, and `inject_search` searches
    files before the model is asked. `tls` serves https: True makes a certificate, a directory keeps
    its authority there; clients must trust `.ca_file`.
    """

    def __init__(
        self,
        port: int = 0,
        token: str | None = None,
        data: str | None = None,
        *,
        host: str = "127.0.0.1",
        model: Model | str | None = None,
        model_options: Mapping[str, Any] | None = None,
        inject_search: bool = False,
        tls: bool | str = False,
        interpreter: Interpreter | None = None,
        strictness: Strictness | None = None,
        groups: Sequence[RouteGroup] = (),
        extra_routes: Sequence[BaseRoute] = (),
        **settings: Any,
    ) -> None:
        self.settings = Settings(
            token=token,
            data=data,
            strictness=strictness or Strictness(),
            allowed_hosts=LOOPBACK if host in LOOPBACK else None,
            **settings,
        )
        self.token = token or secrets.token_urlsafe(16)
        self._refuse_address: Callable[[str, int], None] | None = None
        if isinstance(model, str):
            from .models.litellm_model import LiteLLMModel

            model = LiteLLMModel(model, model_options, inject_search=inject_search)
            self._refuse_address = model.refuse_loop
        self._model: Model = model or RuleModel()
        self._tls = tls
        self._certificate: Certificate | None = None
        self._interpreter = interpreter
        self._groups = groups
        self._extra_routes = extra_routes
        self._address = (host, port)
        self._project: Project | None = None
        self._thread: threading.Thread | None = None
        self._server: uvicorn.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started = threading.Event()
        self.port = port
        self.host = host

    # ---- life

    def start(self) -> Emulator:
        """Listen; returns when requests are answered."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        # With the protocol named, asyncio sets TCP_NODELAY.
        sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(self._address)
            if self._refuse_address is not None:
                self._refuse_address(self.host, sock.getsockname()[1])
            if self._tls:
                from .certificates import make_certificate

                self._certificate = make_certificate(
                    self.host, self._tls if isinstance(self._tls, str) else None
                )
            self._project = open_project(self.settings, self._model, self._interpreter)
        except BaseException:
            sock.close()
            raise
        sock.listen(1024)
        self.port = sock.getsockname()[1]
        self._started.clear()
        self._server = build_server(
            create_app(self._project, groups=self._groups, extra_routes=self._extra_routes),
            on_started=self._started.set,
            certificate=self._certificate,
        )
        self._thread = threading.Thread(
            target=self._serve, args=(sock,), name=f"emulator-{self.port}", daemon=True
        )
        self._thread.start()
        if not self._started.wait(START_TIMEOUT):
            raise RuntimeError("the emulator did not start")
        return self

    def stop(self) -> None:
        """Stop listening, end all streams, close the data file."""
        if self._server is None or self._thread is None or self._loop is None:
            return
        self._server.should_exit = True
        with contextlib.suppress(RuntimeError):  # the loop may have ended already
            self._run(self.project.halt())
        self._thread.join(STOP_TIMEOUT)
        self._server = self._thread = self._loop = None
        if self._certificate is not None:
            self._certificate.discard()

    def __enter__(self) -> Emulator:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _serve(self, sock: socket.socket) -> None:
        async def main() -> None:
            assert self._server is not None
            self._loop = asyncio.get_running_loop()
            await self._server.serve(sockets=[sock])

        try:
            asyncio.run(main())
        finally:
            self._started.set()
            sock.close()

    # ---- what tests use

    @property
    def project(self) -> Project:
        """The project behind the routes; use it from the emulator's own thread only."""
        if self._project is None:
            raise RuntimeError("the emulator has not been started")
        return self._project

    @property
    def url(self) -> str:
        """The server's root."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    @property
    def ca_file(self) -> str | None:
        """With `tls`: the file of the authority that clients must trust."""
        return str(self._certificate.ca_file) if self._certificate else None

    @property
    def endpoint(self) -> str:
        """The project endpoint for clients."""
        return self.url + PROJECT_PATH

    @property
    def requests(self) -> list[RequestRecord]:
        """Every request received since start or reset, oldest first."""
        return list(self.project.requests)

    @property
    def faults(self) -> Faults:
        """Fault rules; see `middleware.faults`."""
        return self.project.faults

    def reset(self, *, agents: Iterable[Mapping[str, Any]] = ()) -> None:
        """Return to the state of a fresh start, with these agents in addition (see `seed`)."""
        self._run(self.project.reset())
        self.seed(agents=agents)

    def seed(self, *, agents: Iterable[Mapping[str, Any]] = ()) -> None:
        """Add agents under ids of your own: bodies of POST /assistants with `id` in addition.

        Entries with a `definition` are new agents: bodies of a version with `name` in addition.
        Raises ValueError for an agent that is wrong.
        """

        async def add() -> None:
            add_agents(self.project.store, agents)

        self._run(add())

    def expire_run(self, run_id: str) -> None:
        """Let an active run expire now."""

        async def expire() -> None:
            self.project.runs.expire(run_id)

        self._run(expire())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None or self._loop.is_closed():
            work.close()
            raise RuntimeError("the emulator is not running")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(STOP_TIMEOUT)


class _Server(uvicorn.Server):
    """uvicorn that calls `on_started` when it listens."""

    on_started: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.on_started()


def build_server(
    app: Starlette,
    *,
    on_started: Callable[[], None],
    certificate: Certificate | None = None,
) -> uvicorn.Server:
    """uvicorn over the application, with connections that faults can cut."""
    config = uvicorn.Config(
        app,
        http=CuttableProtocol,
        ws="none",
        lifespan="on",
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=KEEP_ALIVE,
        server_header=False,
        ssl_certfile=str(certificate.server_file) if certificate else None,
    )
    server = _Server(config)
    server.on_started = on_started
    return server
