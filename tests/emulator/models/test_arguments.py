"""Arguments from texts and schemas, and which tools a text speaks of: tables, no server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from litellm_azure_agents.emulator.models.arguments import calls_for, make_value, places
from litellm_azure_agents.emulator.models.base import CallFunction, MessageItem, ToolSpec, Turn
from litellm_azure_agents.emulator.models.rules import plan

STRING = {"type": "string"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("weather in Paris and Rome", ["Paris", "Rome"]),
        ("weather in Paris, Rome, and New York?", ["Paris", "Rome", "New York"]),
        ("What is it like in São Paulo?", ["São Paulo"]),
        ("from Zürich to Łódź", ["Zürich", "Łódź"]),
        ("Tell me about Oslo please", ["Oslo"]),
        ("nothing here", []),
    ],
)
def test_places(text: str, found: list[str]) -> None:
    assert list(places(text)) == found


def schema(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


@pytest.mark.parametrize(
    ("parameters", "text", "calls"),
    [
        pytest.param({}, "anything", [{}], id="no parameters"),
        pytest.param(schema(("city",), city=STRING), "weather in Paris and Rome",
                     [{"city": "Paris"}, {"city": "Rome"}], id="one call a place"),
        pytest.param(schema(("city",), city=STRING), "weather in paris and rome",
                     [{"city": "paris"}, {"city": "rome"}], id="no capital letters"),
        pytest.param(schema(("city",), city=STRING), "weather?", [{"city": "here"}], id="no place"),
        pytest.param(schema(("q",), q=STRING), 'look up "red shoes"', [{"q": "red shoes"}],
                     id="quoted"),
        pytest.param(schema(("query",), query=STRING), "find me shoes",
                     [{"query": "find me shoes"}], id="whole text"),
        pytest.param(schema(("a", "b"), a={"type": "integer"}, b={"type": "number"}),
                     "a=3 and b: 2.5", [{"a": 3, "b": 2.5}], id="named numbers"),
        pytest.param(schema(("n",), n={"type": "integer", "minimum": 10}), "take 3 or 12",
                     [{"n": 12}], id="number in range"),
        pytest.param(schema(("n",), n={"type": "integer", "exclusiveMinimum": 4}), "some",
                     [{"n": 5}], id="number made up"),
        pytest.param(schema((), unit={"enum": ["c", "f"]}), "in f please", [{"unit": "f"}],
                     id="enum in text"),
        pytest.param(schema((), unit={"enum": ["kelvin"]}), "nothing", [{}], id="enum optional"),
        pytest.param(schema(("to",), to={"type": "string", "format": "email"}),
                     "mail bob@example.org now", [{"to": "bob@example.org"}], id="email"),
        pytest.param(schema(("day",), day={"type": "string", "format": "date"}), "soon",
                     [{"day": "2025-01-01"}], id="date made up"),
        pytest.param(schema(("x",), x={"anyOf": [{"type": "null"}, {"type": "boolean"}]}),
                     "do not", [{"x": False}], id="nullable boolean"),
        pytest.param(schema(("tags",), tags={"type": "array", "items": STRING}),
                     "tag it 'a' 'b'", [{"tags": ["a", "b"]}], id="list"),
        pytest.param({"$ref": "#/$defs/o", "$defs": {"o": schema(("p",), p={"$ref": "#/$defs/n"}),
                      "n": {"const": 7}}}, "x", [{"p": 7}], id="references"),
        pytest.param(schema(("o",), o=schema(("city",), city=STRING)), "in Rome",
                     [{"o": {"city": "Rome"}}], id="nested"),
        pytest.param({"allOf": [schema(("a",), a={"const": 1}), schema(("b",), b={"const": 2})]},
                     "x", [{"a": 1, "b": 2}], id="allOf"),
    ],
)  # fmt: skip
def test_calls(parameters: dict[str, Any], text: str, calls: list[Any]) -> None:
    assert [json.loads(arguments) for arguments in calls_for(parameters, text)] == calls


def test_recursive_schemas_end() -> None:
    tree = {
        "$ref": "#/$defs/t",
        "$defs": {"t": schema(("kids",), kids={"type": "array", "minItems": 1,
                                               "items": {"$ref": "#/$defs/t"}})},
    }  # fmt: skip
    assert make_value(tree, tree, "x")["kids"]
    loop = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}
    assert isinstance(make_value(loop, loop, "x"), str)


def function(name: str, description: str = "", **properties: Any) -> ToolSpec:
    return ToolSpec("function", name, description, schema(tuple(properties), **properties))


TOOLS = (
    function("get_weather", "Weather at a place", location=STRING),
    function("getTime", "Local clock of a town", location=STRING),
    function("send_mail", "Sends a letter to somebody"),
)


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("hello", []),
        ("the weather in Oslo", [("get_weather", "Oslo")]),
        ("weather in Oslo and the time in Rome", [("get_weather", "Oslo"), ("getTime", "Rome")]),
        ("weather and time in Rome", [("get_weather", "Rome"), ("getTime", "Rome")]),
        ("weather in Oslo and Rome and the time in Bonn",
         [("get_weather", "Oslo"), ("get_weather", "Rome"), ("getTime", "Bonn")]),
        ("a letter to somebody", [("send_mail", None)]),
        ("call send_mail", [("send_mail", None)]),
        ("the mails", [("send_mail", None)]),
        ("What are your instructions about weather?", []),
    ],
)  # fmt: skip
def test_the_tools_that_a_text_asks_for(text: str, calls: list[tuple[str, str | None]]) -> None:
    turn = Turn("a", "m", "", (MessageItem("user", text),), tools=TOOLS)
    planned = [call for call in plan(turn) if isinstance(call, CallFunction)]
    assert [(c.name, json.loads(c.arguments).get("location")) for c in planned] == calls
