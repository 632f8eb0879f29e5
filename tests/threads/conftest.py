"""The service that the tests of single requests script."""

from __future__ import annotations

from typing import Any

import pytest
import respx

from tests.support.transport import over_httpx


@pytest.fixture
def service() -> Any:
    with over_httpx(), respx.mock(assert_all_called=False) as router:
        yield router
