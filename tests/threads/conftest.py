"""The service that the tests of single requests script."""

from __future__ import annotations

from typing import Any

import pytest
import respx


@pytest.fixture
def service() -> Any:
    with respx.mock(assert_all_called=False) as router:
        yield router
