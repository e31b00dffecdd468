"""The environment of the processes that the local host starts."""

import os
from collections.abc import Mapping


def worker_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables of a worker.

    Args:
        extra: settings that take precedence over this process's environment.
    """
    return {
        **os.environ,
        # One thread a model: each library would start one a core, and workers would compete.
        "OMP_NUM_THREADS": "1",
        # By default glibc gives threads heaps of their own, which never shrink after a large photo.
        "MALLOC_ARENA_MAX": "2",
        # Else it raises this to 32 MB by itself, and keeps the blocks of photos that are gone.
        "MALLOC_MMAP_THRESHOLD_": "1048576",
        "PYTHONUNBUFFERED": "1",
        **extra,
    }
