"""Names of files that UTF-8 can't say are refused by name, before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import litellm
import pytest

from litellm_azure_agents import files, vector_stores

BROKEN = "report \ud83d.txt"
NOWHERE: dict[str, Any] = {"api_base": "http://127.0.0.1:9/api/projects/p", "api_key": "k"}


def test_a_name_for_bytes() -> None:
    with pytest.raises(litellm.BadRequestError, match="half characters"):
        files.upload(b"x", filename=BROKEN, **NOWHERE)


def test_a_name_for_a_path(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x")
    with pytest.raises(litellm.BadRequestError, match="half characters"):
        files.upload(path, filename=BROKEN, **NOWHERE)


def test_a_file_whose_own_name_is_not_utf8(tmp_path: Path) -> None:
    path = Path(str(tmp_path), b"caf\xe9.txt".decode("utf-8", "surrogateescape"))
    try:
        path.write_bytes(b"x")
    except (OSError, UnicodeError):
        pytest.skip("the file system takes no such name")
    with pytest.raises(litellm.BadRequestError, match="half characters"):
        files.upload(path, **NOWHERE)


def test_a_name_in_a_vector_store() -> None:
    with pytest.raises(litellm.BadRequestError, match="half characters"):
        vector_stores.create([(BROKEN, b"x")], **NOWHERE)


@pytest.mark.parametrize("metadata", [{"a": float("nan")}, {"a": {1, 2}}])
def test_metadata_that_json_cannot_say(metadata: Any) -> None:
    with pytest.raises(litellm.BadRequestError):
        vector_stores.create([("a.txt", b"x")], metadata=metadata, **NOWHERE)
