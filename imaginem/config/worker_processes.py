"""How many processes of the app share a machine."""

import os
from collections.abc import Mapping

PROCESS_COUNT = "FUNCTIONS_WORKER_PROCESS_COUNT"
"""The variable that tells them, as Azure Functions calls it; our host sets it too."""


def worker_processes(environment: Mapping[str, str] = os.environ) -> int:
    """Return how many processes work here, this one included; 1 where nobody tells."""
    told = environment.get(PROCESS_COUNT, "")
    return max(1, int(told)) if told.isdecimal() else 1
