"""How callables become tools."""

from __future__ import annotations

import enum
import json
from typing import Annotated, Any, Literal

import pydantic
import pytest

import litellm_azure_agents
from litellm_azure_agents.tool_loop.functions import (
    build_function,
    build_functions,
    parse_docstring,
)


class Color(enum.Enum):
    RED = "red"


class Place(pydantic.BaseModel):
    """A place on earth."""

    city: str
    country: str = "FR"


def example(
    place: Place,
    when: Literal["now", "later"],
    color: Color = Color.RED,
    tags: list[str] | None = None,
    count: Annotated[int, pydantic.Field(ge=1, description="How many.")] = 1,
) -> str:
    """Does a thing.

    In two paragraphs.

    Args:
        place: Where to do it.
        when (str): At what time;
            now or later.
        tags: Any words.

    Returns:
        A text.
    """
    assert isinstance(place, Place)
    return f"{place.city} {when} {color} {tags} {count}"


def test_a_schema_from_hints_and_docstring() -> None:
    tool = build_function(example).tool["function"]
    assert tool["name"] == "example"
    assert tool["description"] == "Does a thing.\n\nIn two paragraphs."
    properties = tool["parameters"]["properties"]
    assert tool["parameters"]["required"] == ["place", "when"]
    assert properties["when"] == {
        "description": "At what time; now or later.",
        "enum": ["now", "later"],
        "type": "string",
    }
    assert properties["place"]["$ref"] == "#/$defs/Place"
    assert properties["place"]["description"] == "Where to do it."
    json.dumps(tool)


def test_arguments_become_python_values() -> None:
    function = build_function(example)
    values = function.bind('{"place": {"city": "Lyon"}, "when": "now", "tags": ["a"]}')
    assert example(**values) == "Lyon now Color.RED ['a'] 1"
    with pytest.raises(ValueError, match=r"place\.city: Field required; when: Input should be"):
        function.bind('{"place": {}, "when": "never"}')
    with pytest.raises(ValueError, match="Invalid JSON"):
        function.bind("{")


def test_sphinx_docstrings() -> None:
    text, described = parse_docstring(
        "Adds.\n\n:param a: First\n   number.\n:param int b: Second.\n:return: Sum."
    )
    assert text == "Adds."
    assert described == {"a": "First number.", "b": "Second."}


@pytest.mark.parametrize("bad", [lambda x: x, 7, print])
def test_what_can_not_be_a_tool(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"tool|hints|takes|name"):
        build_function(bad)


def test_names_are_unique() -> None:
    def f() -> None: ...

    def other() -> None: ...

    other.__name__ = "f"
    with pytest.raises(ValueError, match="two functions"):
        build_functions([f, other])


def test_the_public_name_stays_a_function() -> None:
    assert callable(litellm_azure_agents.run_tools)
    assert callable(litellm_azure_agents.run_tools)
