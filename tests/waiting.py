"""Waiting for what other threads and processes do."""

import time
from collections.abc import Callable

PATIENCE = 120.0
"""Seconds until a test gives up. A machine that is busy with other tests may be ten times slower
than a quiet one: nothing that ends by itself may fail a test by that."""


def until(
    condition: Callable[[], object],
    seconds: float = PATIENCE,
    told: Callable[[], object] = lambda: "it did not happen in time",
) -> None:
    """Wait until something holds.

    Args:
        condition: asked a hundred times a second.
        seconds: after which the test fails.
        told: returns what the failure says.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.01)
