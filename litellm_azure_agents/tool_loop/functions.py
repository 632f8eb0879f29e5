"""Python callables as function tools: a schema from hints and docstring, checked arguments."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

import pydantic

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SECTION = re.compile(r"^\s*(?::\w|(?:Args|Arguments|Parameters|Returns?|Raises|Yields)\s*:?\s*$)")
_FIELD = re.compile(r"^\s*:param\s+(?:[\w\[\], |.]+\s+)?\*{0,2}(\w+)\s*:\s*(.*)$")
_ARGUMENT = re.compile(r"^(\s+)\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")


@dataclass(frozen=True, slots=True)
class Function:
    """A callable that a model may call."""

    name: str
    description: str
    call: Callable[..., Any]
    arguments: type[pydantic.BaseModel]

    @property
    def tool(self) -> dict[str, Any]:
        """The OpenAI tool definition."""
        schema = self.arguments.model_json_schema()
        schema.pop("title", None)
        for name, field in schema.get("properties", {}).items():
            if field.get("title") == name.replace("_", " ").title():
                del field["title"]
        definition = {"name": self.name, "description": self.description, "parameters": schema}
        return {"type": "function", "function": definition}

    def bind(self, arguments: str) -> dict[str, Any]:
        """Keyword arguments from the model's JSON, converted to the types of the hints.

        Raises ValueError; its message tells the model what to correct.
        """
        try:
            values = self.arguments.model_validate_json(arguments or "{}")
        except pydantic.ValidationError as error:
            wrong = [
                f"{'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg']}"
                for e in error.errors(include_url=False)
            ]
            raise ValueError(f"invalid arguments: {'; '.join(wrong)}") from None
        return {name: getattr(values, name) for name in self.arguments.model_fields}


def build_functions(callables: Iterable[Callable[..., Any]]) -> dict[str, Function]:
    """The functions by name. Raises ValueError for one that has no JSON schema."""
    functions: dict[str, Function] = {}
    for call in callables:
        function = build_function(call)
        if function.name in functions:
            raise ValueError(f"two functions are called {function.name!r}")
        functions[function.name] = function
    return functions


def build_function(call: Callable[..., Any]) -> Function:
    """A function from its signature: hints give types, the docstring descriptions."""
    name = getattr(call, "__name__", "")
    if not callable(call) or not _NAME.fullmatch(name):
        raise ValueError(f"{call!r} needs a name of letters, digits, '_' and '-' to be a tool")
    try:
        hints = get_type_hints(call, include_extras=True)
        parameters = inspect.signature(call).parameters.values()
    except (NameError, TypeError, ValueError) as error:
        raise ValueError(f"the type hints of {name!r} can't be read: {error}") from None
    description, described = parse_docstring(inspect.getdoc(call) or "")
    fields: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ValueError(
                f"{name!r} takes {parameter}; a tool's parameters have a name each, no * or /"
            )
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (
            hints.get(parameter.name, Any),
            pydantic.Field(default, description=described.get(parameter.name)),
        )
    config = pydantic.ConfigDict(arbitrary_types_allowed=False, extra="forbid")
    try:
        arguments = pydantic.create_model(name, __config__=config, **fields)
        arguments.model_json_schema()
    except (pydantic.errors.PydanticUserError, TypeError) as error:
        raise ValueError(f"the parameters of {name!r} have no JSON schema: {error}") from None
    return Function(name, description, call, arguments)


def parse_docstring(text: str) -> tuple[str, Mapping[str, str]]:
    """(description, parameter -> description) of a docstring in Google's or Sphinx's form."""
    lines = text.splitlines()
    end = next((n for n, line in enumerate(lines) if _SECTION.match(line)), len(lines))
    described: dict[str, str] = {}
    last: str | None = None
    indent = 0
    for line in lines[end:]:
        field, argument = _FIELD.match(line), _ARGUMENT.match(line)
        if field:
            last = field[1]
            described[last] = field[2].strip()
        elif argument and (not indent or len(argument[1]) == indent):
            indent, last = len(argument[1]), argument[2]
            described[last] = argument[3].strip()
        elif not line.strip() or not line.startswith((" ", "\t")):
            last = None
        elif last:
            described[last] += " " + line.strip()
    return "\n".join(lines[:end]).strip(), described


def result_as_text(value: Any) -> str:
    """A function's return value as the text of a tool result."""
    if isinstance(value, str):
        return value
    if isinstance(value, pydantic.BaseModel):
        return value.model_dump_json()
    return json.dumps(value, ensure_ascii=False, default=_jsonable)


def _jsonable(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, pydantic.BaseModel) else str(value)
