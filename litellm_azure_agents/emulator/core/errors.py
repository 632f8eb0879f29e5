"""Errors in the words and shapes of the service. Routes raise them, `app` renders them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError


class ApiError(Exception):
    """An HTTP error answer: status, and the fields of `{"error": {...}}`."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        type: str = "invalid_request_error",
        headers: Mapping[str, str] | None = None,
        details: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.type = type
        self.headers = dict(headers or {})
        self.details = list(details)

    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        return {
            "error": {
                "message": self.message,
                "type": self.type,
                "param": self.param,
                "code": self.code,
            }
        }


def bad_request(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """A 400 of the classic protocol."""
    return ApiError(400, message, param=param, code=code)


def not_found(what: str, id: str) -> ApiError:
    """A 404 of the classic protocol."""
    return ApiError(404, f"No {what} found with id '{id}'.")


class FoundryError(ApiError):
    """An error as the new protocol words it: always a code, details and the request's id."""

    request_id = ""

    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        return {
            "error": {
                "code": self.code,
                "message": self.message,
                "param": self.param,
                "type": self.type,
                "details": self.details,
                "additionalInfo": {"request_id": self.request_id},
            }
        }


def invalid(message: str, param: str | None = None, code: str = "invalid_payload") -> ApiError:
    """A 400 of the new protocol."""
    return ApiError(400, message, param=param, code=code)


def not_with_agent(fields: Sequence[str]) -> ApiError:
    """The 400 for fields that belong to an agent's definition: one by name, several as details."""
    text = "Not allowed when agent is specified."
    if len(fields) == 1:
        return invalid(text, fields[0])
    error = invalid("Invalid payload")
    error.details = [
        {"code": "ValidationError", "message": text, "param": name, "type": "error"}
        for name in fields
    ]
    return error


def missing(what: str, id: str) -> ApiError:
    """A 404 of the new protocol."""
    return ApiError(404, f"{what} with id '{id}' not found.", code="not_found")


def from_validation(error: ValidationError) -> ApiError:
    """The 400 for the first thing wrong with a request body."""
    first = error.errors(include_url=False)[0]
    param = _path(first["loc"])
    kind = first["type"]
    if kind == "extra_forbidden":
        return bad_request(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")
    if kind == "missing":
        return bad_request(
            f"Missing required parameter: '{param}'.",
            param=param,
            code="missing_required_parameter",
        )
    if kind.endswith("_type") or kind in ("int_from_float", "bool_parsing"):
        return bad_request(
            f"Invalid type for '{param}': {first['msg']}, got {_kind_of(first['input'])}.",
            param=param,
            code="invalid_type",
        )
    why = first["msg"].removeprefix("Value error, ").rstrip(".")
    if not param:
        return bad_request(f"Invalid body: {why}.", code="invalid_value")
    return bad_request(f"Invalid value for '{param}': {why}.", param=param, code="invalid_value")


def _path(loc: tuple[int | str, ...]) -> str:
    """`("tools", 0, "~function", "name")` as `tools[0].name`; `~` marks the tags of unions."""
    path = ""
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not part.startswith("~"):
            path += f".{part}" if path else part
    return path


def _kind_of(value: Any) -> str:
    names = {
        dict: "an object",
        list: "an array",
        str: "a string",
        bool: "a boolean",
        int: "an integer",
        float: "a number",
        type(None): "null",
    }
    return names.get(type(value), type(value).__name__)
