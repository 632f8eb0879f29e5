"""Registering changes LiteLLM where it must, and unregistering gives it back."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import litellm
import pytest
import respx
from litellm.caching.caching import DualCache
from litellm.caching.caching_handler import LLMCachingHandler
from litellm.llms.azure_ai import agents as builtin
from litellm.llms.azure_ai.chat.transformation import AzureAIStudioConfig
from litellm.llms.azure_ai.common_utils import AzureFoundryModelInfo

from litellm_azure_agents import RegistrationError, register, unregister

BRIDGES = {"litellm.main", "litellm.responses.bridge_check"} & sys.modules.keys()


@pytest.fixture(autouse=True)
def pristine(registered: None) -> Iterator[None]:
    unregister()
    yield
    register()


def state() -> dict[str, Any]:
    """All that registering may touch."""
    return {
        "map": list(litellm.custom_provider_map),
        "providers": list(litellm.provider_list),
        "custom": list(litellm._custom_providers),
        "callbacks": list(litellm.callbacks),
        "builtin": dict(vars(builtin)),
        "info": dict(vars(AzureFoundryModelInfo)),
        "studio": dict(vars(AzureAIStudioConfig)),
        "manager": dict(vars(litellm.utils.ProviderConfigManager)),
        "bridges": [vars(sys.modules[m])["responses_api_bridge_check"] for m in BRIDGES],
        "cache": dict(vars(LLMCachingHandler)),
    }


def test_unregister_restores_litellm_exactly() -> None:
    before = state()
    register()
    assert state() != before
    unregister()
    assert state() == before
    unregister()
    assert state() == before


def test_register_is_idempotent() -> None:
    register()
    once = state()
    register()
    assert state() == once


def test_a_map_replaced_by_a_proxy_is_filled_again() -> None:
    register()
    litellm.custom_provider_map = []
    register()
    assert [entry["provider"] for entry in litellm.custom_provider_map] == ["azure_agents"]


def test_other_providers_of_the_map_stay() -> None:
    class Other(litellm.CustomLLM):
        pass

    entry = {"provider": "other", "custom_handler": Other()}
    litellm.custom_provider_map.append(entry)
    try:
        register()
        unregister()
        assert litellm.custom_provider_map == [entry]
    finally:
        litellm.custom_provider_map.clear()


@pytest.mark.parametrize("owner", [builtin, AzureFoundryModelInfo])
def test_a_missing_seam_is_named_and_nothing_changed(
    monkeypatch: pytest.MonkeyPatch, owner: Any
) -> None:
    name = "AzureAIAgentsConfig" if owner is builtin else "get_azure_ai_config_for_model"
    monkeypatch.delattr(owner, name)
    before = state()
    with pytest.raises(RegistrationError, match=rf"{name}.*litellm>="):
        register()
    assert state() == before


def test_other_azure_ai_models_stay_untouched() -> None:
    """The very same request with and without us."""

    def sent() -> tuple[Any, ...]:
        with respx.mock as router:
            route = router.post(url__regex=r"https://acme\.example/.*").mock(
                return_value=httpx.Response(
                    200,
                    json={"id": "1", "object": "chat.completion", "created": 1, "model": "m",
                          "choices": [{"index": 0, "finish_reason": "stop", "message": {
                              "role": "assistant", "content": "ok"}}]},
                )
            )  # fmt: skip
            answer = litellm.completion(
                model="azure_ai/mistral-large", messages=[{"role": "user", "content": "hi"}],
                api_base="https://acme.example/models", api_key="k", temperature=0.5,
            )  # fmt: skip
            request = route.calls.last.request
            return str(request.url), request.content, answer.choices[0].message.content

    without = sent()
    register()
    assert sent() == without


def test_an_agent_named_like_a_model_is_an_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_AI_API_BASE", "https://acme.example/api/projects/p")
    register()
    model, provider, _, base = litellm.get_llm_provider("azure_ai/agents/gpt-4o")
    assert (model, provider) == ("agents/gpt-4o", "azure_ai")
    assert base == "https://acme.example/api/projects/p"


@pytest.mark.parametrize("agent", ["echo", "asst_echo"])
@pytest.mark.parametrize("route", ["azure_ai/agents", "azure_agents"])
@pytest.mark.parametrize("mode", [None, "responses"])
def test_chat_is_never_bridged_to_responses(
    monkeypatch: pytest.MonkeyPatch, route: str, agent: str, mode: str | None
) -> None:
    """LiteLLM 1.109 does so with every new agent, all do so with models of that mode."""
    from litellm_azure_agents.emulator import Emulator

    register()
    monkeypatch.setattr(litellm, "model_cost", dict(litellm.model_cost))
    with Emulator() as emulator:
        router = litellm.Router(
            model_list=[{
                "model_name": "agent", "model_info": {"mode": mode} if mode else {},
                "litellm_params": {"model": f"{route}/{agent}", "api_base": emulator.endpoint,
                                   "api_key": "x"},
            }]
        )  # fmt: skip
        answer = router.completion("agent", [{"role": "user", "content": "hi"}])
    assert answer.choices[0].message.content == "You said: hi"
    assert answer.choices[0].message.provider_specific_fields["thread_id"]


def test_positional_arguments_go_the_public_way() -> None:
    """A hook can't rename a model given by position: the other route serves it."""
    from litellm_azure_agents.emulator import Emulator

    register()

    async def go(agent: str) -> str:
        stream = await litellm.acompletion(
            f"azure_agents/{agent}", [{"role": "user", "content": "hi"}],
            stream=True, api_base=emulator.endpoint, api_key="x",
        )  # fmt: skip
        return "".join([c.choices[0].delta.content or "" async for c in stream])

    with Emulator() as emulator:
        assert asyncio.run(go("asst_echo")) == "You said: hi"
        with pytest.raises(litellm.NotFoundError):
            asyncio.run(go("asst_nobody"))


def test_the_import_is_light() -> None:
    code = (
        "import sys, litellm_azure_agents;"
        "assert 'litellm' not in sys.modules;"
        "litellm_azure_agents.register();"
        "names = ('azure.identity', 'azure.core', 'uvicorn', 'litellm_azure_agents.emulator');"
        "heavy = [m for m in names if m in sys.modules];"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


# -- which handler is found --------------------------------------------------------------------


def answered() -> str:
    """The answer of an agent by our own provider, sync: no hook sends that another way."""
    from litellm_azure_agents.emulator import Emulator

    with Emulator() as emulator:
        answer = litellm.completion(
            model="azure_agents/asst_echo", messages=[{"role": "user", "content": "hi"}],
            api_base=emulator.endpoint, api_key="x",
        )  # fmt: skip
    text: str = answer.choices[0].message.content
    return text


class Other(litellm.CustomLLM):
    """Another plugin's handler."""

    def completion(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("not ours")


@pytest.fixture
def restored_map() -> Iterator[None]:
    before = litellm.custom_provider_map
    yield
    litellm.custom_provider_map = before
    litellm.custom_provider_map.clear()


@pytest.mark.parametrize(
    "others",
    [
        [{"provider": "other", "custom_handler": Other()}],
        [{"provider": "azure_agents", "custom_handler": "not yet imported"}],
        [{"provider": "azure_agents", "custom_handler": Other()}],
    ],
)
@pytest.mark.parametrize("how", ["before", "in front", "behind", "instead"])
def test_ours_is_found_whatever_others_register(
    restored_map: None, others: list[Any], how: str
) -> None:
    if how == "before":
        litellm.custom_provider_map.extend(others)
    register()
    if how == "in front":
        litellm.custom_provider_map[:0] = others
    elif how == "behind":
        litellm.custom_provider_map.extend(others)
    elif how == "instead":
        litellm.custom_provider_map = [*others]
    assert answered() == "You said: hi"
    for entry in others:
        if entry["provider"] == "other":
            assert entry in litellm.custom_provider_map


def test_ours_is_found_after_a_proxy_reads_its_configuration_again(
    restored_map: None, tmp_path: Any
) -> None:
    """`load_config` replaces the map by the configuration's, which may name other providers only,
    or ours, whose module it then imports."""
    proxy = pytest.importorskip("litellm.proxy.proxy_server")
    register()
    (tmp_path / "other.py").write_text(
        "import litellm\nclass Other(litellm.CustomLLM): pass\nhandler = Other()\n"
    )
    ours = "{provider: azure_agents, custom_handler: litellm_azure_agents.proxy.handler}"
    other = "{provider: other, custom_handler: other.handler}"
    for entries in (f"[{other}]", f"[{other}, {ours}]", f"[{ours}, {other}]"):
        path = tmp_path / "config.yaml"
        path.write_text(f"model_list: []\nlitellm_settings: {{custom_provider_map: {entries}}}\n")
        config = proxy.ProxyConfig()
        asyncio.run(config.load_config(router=None, config_file_path=str(path)))
        providers = [entry["provider"] for entry in litellm.custom_provider_map]
        assert sorted(providers) == ["azure_agents", "other"]
        assert answered() == "You said: hi"


class ConfigTable:
    """The one table of a proxy's database that its configuration is read from."""

    def __init__(self, **rows: Any) -> None:
        self.rows = rows

    async def get_generic_data(self, *, value: str, **_: Any) -> Any:
        if value not in self.rows:
            return None
        return SimpleNamespace(param_name=value, param_value=self.rows[value])


@pytest.mark.parametrize("place", ["other", "ours", "other, ours", "ours, other"])
def test_ours_is_found_after_a_proxy_reads_its_database_again(
    restored_map: None, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """With ``store_model_in_db`` the settings of the database come over those of the file."""
    proxy = pytest.importorskip("litellm.proxy.proxy_server")
    register()
    (tmp_path / "another.py").write_text(
        "import litellm\nclass Other(litellm.CustomLLM): pass\nhandler = Other()\n"
    )
    known = {
        "ours": {
            "provider": "azure_agents",
            "custom_handler": "litellm_azure_agents.proxy.handler",
        },
        "other": {"provider": "other", "custom_handler": "another.handler"},
    }
    entries = [known[name] for name in place.split(", ")]
    path = tmp_path / "config.yaml"
    path.write_text("model_list: []\n")
    table = ConfigTable(litellm_settings={"custom_provider_map": entries})
    monkeypatch.setattr(proxy, "prisma_client", table)
    monkeypatch.setattr(proxy, "store_model_in_db", True)
    monkeypatch.setattr("litellm.proxy.utils.litellm_config_cache", DualCache(), raising=False)
    config = proxy.ProxyConfig()
    for _ in range(2):  # when it starts, and again
        loaded = asyncio.run(config.get_config(config_file_path=str(path)))
        assert loaded["litellm_settings"]["custom_provider_map"] == entries
        asyncio.run(config.load_config(router=None, config_file_path=str(path)))
        providers = {entry["provider"] for entry in litellm.custom_provider_map}
        assert providers == {"azure_agents", *(entry["provider"] for entry in entries)}
        assert answered() == "You said: hi"


# -- what LiteLLM says of agents -----------------------------------------------------------------


@pytest.mark.parametrize("route", ["azure_ai/agents", "azure_agents"])
def test_litellm_knows_what_agents_can_do(route: str) -> None:
    register()
    for agent in ("asst_1", "bob", "bob:2", "gpt-4o"):
        model = f"{route}/{agent}"
        classic = agent.startswith("asst_")
        assert litellm.supports_function_calling(model)
        assert litellm.supports_parallel_function_calling(model)
        assert litellm.supports_vision(model)
        assert litellm.supports_response_schema(model) is classic
        assert not litellm.utils.supports_audio_input(model)
        assert not litellm.utils.supports_reasoning(model)
        info = litellm.get_model_info(model)
        assert (info["key"], info["mode"]) == (model, "chat")
        assert info["litellm_provider"] == route.partition("/")[0]
        assert (info["input_cost_per_token"], info["max_tokens"]) == (None, None)
        assert info["supports_function_calling"] is True
        assert "tools" in info["supported_openai_params"]
        assert "tools" in (litellm.get_supported_openai_params(model) or ())


def test_what_a_user_registers_of_an_agent_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "model_cost", dict(litellm.model_cost))
    register()
    model = "azure_ai/agents/asst_priced"
    litellm.register_model({model: {"input_cost_per_token": 1e-6, "supports_vision": False,
                                    "max_input_tokens": 9}})  # fmt: skip
    assert not litellm.supports_vision(model)
    assert litellm.supports_function_calling(model)
    info = litellm.get_model_info(model)
    assert (info["input_cost_per_token"], info["max_input_tokens"]) == (1e-6, 9)


def test_other_models_are_known_as_before() -> None:
    def known() -> Any:
        return [
            (litellm.supports_function_calling(name), litellm.supports_vision(name))
            for name in ("gpt-4o", "azure_ai/mistral-large", "never/heard-of")
        ] + [litellm.get_model_info("gpt-4o")]

    without = known()
    register()
    assert known() == without
