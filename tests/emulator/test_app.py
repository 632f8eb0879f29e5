"""Route groups that an emulator is given in addition."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from litellm_azure_agents.emulator import Emulator

from .wire import Wire


def test_route_groups_share_errors_and_authentication() -> None:
    async def hello(request: Request) -> JSONResponse:
        return JSONResponse({"project": request.path_params["project"]})

    def group() -> list[BaseRoute]:
        return [Route("/openai/v1/hello", hello)]

    with Emulator(groups=[group], extra_routes=[Route("/page", lambda r: JSONResponse(1))]) as em:
        wire = Wire(em)
        assert wire.get("/openai/v1/hello") == {"project": "local"}
        assert wire.http.get("/openai/v1/hello", headers={"Authorization": ""}).status_code == 401
        assert wire.http.get(em.url + "/page").json() == 1
        wire.http.close()
