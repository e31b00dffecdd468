"""Listeners without workers: the test ends each call itself."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from imaginem.host.config import HostConfig
from imaginem.host.listener import QueueListener
from imaginem.host.poller import Poller
from imaginem.host.surroundings import Surroundings
from imaginem.host.triggers import Trigger
from imaginem.host.turns import Turns
from imaginem.host.worker_process import Sent
from imaginem.ports import Queues
from tests.waiting import PATIENCE, until


class Pool:
    """A fake of the workers: the test ends each call itself."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, Any], Future[Sent]]] = []
        self.room, self.asked = True, 0
        self.at_once = 0
        self.has_waiting = False

    @property
    def has_room(self) -> bool:
        self.asked += 1
        return self.room

    def cancel_pending(self) -> None:
        for _, future in self.calls:
            if not future.done() and future.cancel():
                future.set_running_or_notify_cancel()

    def submit(self, function: str, **message: Any) -> "Future[Sent]":
        future: Future[Sent] = Future()
        self.calls.append((message, future))
        return future


def listening(
    queues: Queues,
    queue: str,
    around: Surroundings | None = None,
    *,
    rest: float | None = None,
    **rules: Any,
) -> tuple[QueueListener, Pool]:
    """Return a listener, and the workers to which it gives its messages."""
    pool = Pool()
    config = HostConfig(
        **{"batch_size": 4, "new_batch_threshold": 2, "max_polling_interval": 0.02} | rules
    )
    trigger = Trigger("f", "queue", "message", queue=queue)
    return QueueListener(trigger, queues, pool, config, around, rest), pool  # type: ignore[arg-type]


def eventually(condition: Callable[[], object]) -> None:
    until(condition)


def polling(pool: Pool, *listeners: QueueListener) -> Poller:
    turns = Turns([listener.queue for listener in listeners])
    return Poller("test", listeners, pool, turns)  # type: ignore[arg-type]


def stop(poller: Poller) -> None:
    poller.cease()
    assert poller.join(PATIENCE)


def look(listener: QueueListener) -> None:
    """Look into a queue as often as the poller would at once."""
    while listener.due_in(time.monotonic()) <= 0 and listener.poll():
        pass
