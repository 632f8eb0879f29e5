"""JSON schemas that clients send, of functions and of answers: they must be valid themselves."""

from __future__ import annotations

from typing import Annotated, Any

from jsonschema import Draft202012Validator, SchemaError
from pydantic import AfterValidator


def _check(schema: dict[str, Any]) -> dict[str, Any]:
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValueError(error.message) from error
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return schema


Schema = Annotated[dict[str, Any], AfterValidator(_check)]
"""A JSON schema of draft 2020-12."""
