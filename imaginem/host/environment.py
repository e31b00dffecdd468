"""The environment of the processes that the local host starts."""

import os
from collections.abc import Mapping

from imaginem.config.worker_processes import PROCESS_COUNT


def worker_environment(extra: Mapping[str, str], workers: int = 1) -> dict[str, str]:
    """Return the environment variables of a worker: memory that networks work in is kept.

    glibc would return it after each layer of a network, and the system clear it page by page for
    the next one: that took four tenths of a photo's time. `FreedMemory` returns it instead, every
    five seconds, once a worker has become large.

    Args:
        extra: settings that take precedence over this process's environment.
        workers: how many there are.
    """
    kept = {
        PROCESS_COUNT: str(workers),
        # Above the largest values between layers, which would be mapped and cleared anew each time:
        # 16 MB of objects, 22 of text at 960 x 960 in f32.
        "MALLOC_MMAP_THRESHOLD_": str(24 * 2**20),
        "MALLOC_TRIM_THRESHOLD_": str(256 * 2**20),
        # Huge pages where the system allows a process to ask for them: fewer to clear and find.
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
        "MALLOC_ARENA_MAX": "1",  # each would keep as much; one network runs at a time
    }
    return _environment({**kept, **extra})


def http_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables of the HTTP process: the memory of photos is given back.

    Args:
        extra: settings that take precedence over this process's environment.
    """
    # Else glibc raises this to 32 MB by itself, and keeps the blocks of photos that are gone.
    return _environment({"MALLOC_MMAP_THRESHOLD_": str(2**20), **extra})


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    return {
        **os.environ,
        # One thread a model: each library would start one a core, and workers would compete.
        "OMP_NUM_THREADS": "1",
        # By default glibc gives threads heaps of their own, which never shrink after a large photo.
        "MALLOC_ARENA_MAX": "2",
        "PYTHONUNBUFFERED": "1",
        **own,
    }
