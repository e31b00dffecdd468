"""What unit tests share."""

import pytest

from tests.workbench import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()
