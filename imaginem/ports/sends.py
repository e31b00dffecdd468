"""Which queues a function sends to: noted, so that its host can look into them at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_noted: ContextVar[set[str] | None] = ContextVar("imaginem_sends", default=None)


@contextmanager
def noting_sends() -> Iterator[set[str]]:
    """Yield a set that gains the name of each queue to which this thread sends in the block."""
    noted: set[str] = set()
    token = _noted.set(noted)
    try:
        yield noted
    finally:
        _noted.reset(token)


def note_send(queue: str) -> None:
    """Note that a message lies on a queue, to be had at once."""
    noted = _noted.get()
    if noted is not None:
        noted.add(queue)
