"""Heavy work for requests, such as decoding a photo: little at once, and nothing else waits for it.

Requests that wait for their turn hold neither a thread nor the event loop.
"""

from collections.abc import Callable
from typing import TypeVar

from fastapi.concurrency import run_in_threadpool

from imaginem.images.decoding import DECODES_AT_ONCE
from imaginem.images.shares import Share

_WAITING = 100
_SECONDS = 20.0
ResultT = TypeVar("ResultT")


class Turns:
    """Lets as many requests work at once as photos may be decoded."""

    def __init__(self, waiting: int = _WAITING, seconds: float = _SECONDS) -> None:
        self._share = Share(
            DECODES_AT_ONCE,
            waiting=waiting,
            seconds=seconds,
            refusal="too many photos are looked at just now: try again in a few seconds",
        )

    async def run(self, work: Callable[[], ResultT]) -> ResultT:
        """Do some work in a thread, once it is its turn.

        Raises:
            Busy: too many wait, or it took too long; what `work` raises.
        """
        taken = await self._share.take(1)
        try:
            return await run_in_threadpool(work)
        finally:
            self._share.give_back(taken)
