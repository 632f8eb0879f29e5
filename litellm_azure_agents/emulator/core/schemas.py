"""What the request bodies of all routes are built from."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints


class Strict(BaseModel):
    """Base of all bodies: unknown fields and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _check_metadata(value: dict[str, str]) -> dict[str, str]:
    if len(value) > 16:
        raise ValueError("at most 16 metadata pairs are allowed")
    for key, text in value.items():
        if len(key) > 64 or len(text) > 512:
            raise ValueError("metadata keys have at most 64 and values at most 512 characters")
    return value


Metadata = Annotated[dict[str, str], AfterValidator(_check_metadata)]
Temperature = Annotated[float, Field(ge=0, le=2)]
TopP = Annotated[float, Field(ge=0, le=1)]
Instructions = Annotated[str, StringConstraints(max_length=256_000)]
Description = Annotated[str, StringConstraints(max_length=512)]
ModelName = Annotated[str, StringConstraints(min_length=1)]
ToolName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class DataSource(Strict):
    """An asset of the workspace."""

    uri: str
    type: Literal["uri_asset", "id_asset"]


def kind_tag(value: Any) -> str:
    """The tag of a union's member by the kind of JSON value. Tags begin with `~`: see `errors`."""
    return "~str" if isinstance(value, str) else "~list" if isinstance(value, list) else "~object"


def text_tag(value: Any) -> str:
    """The tag of a union's member that is either text or an object."""
    return "~str" if isinstance(value, str) else "~object"


def type_tag(value: Any) -> str:
    """The tag of a union's member by the field `type`."""
    return f"~{value.get('type')}" if isinstance(value, dict) else "~?"
