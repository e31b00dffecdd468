"""What a storage emulator forgets when it is killed: each of its books ends a bit earlier."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.simulation.clock import Clock
from tests.simulation.services import Stores
from tests.simulation.stores import LooseQueues

SAVE_SECONDS = 5.0


class Books:
    """Queues, tables and blobs: each book is saved at a moment of its own, and falls back to it."""

    def __init__(self, stores: Stores, clock: Clock) -> None:
        tables = (
            stores.log,
            stores.poison,
            stores.drops,
            stores.receipts,
            stores.shared_state,
            stores.tombstones,
        )
        self._books: tuple[Sequence[object], ...] = ((stores.queues,), tables, (stores.blobs,))
        self._clock, self._landing = clock, stores.landing
        self._saved = [_copy(book) for book in self._books]
        self._moments = [0.0] * len(self._books)

    def save(self, number: int) -> None:
        """Save one book; a mark that all of them have says what is safe."""
        number %= len(self._books)
        self._saved[number] = _copy(self._books[number])
        self._moments[number] = self._clock.seconds
        mark = self._landing.mark
        if mark is not None and min(self._moments) > mark[0]:
            self._landing.saved = mark[1]

    def save_all(self) -> None:
        """Save every book."""
        for number in range(len(self._books)):
            self.save(number)

    def fall_back(self) -> None:
        """Forget everything since each book was saved."""
        self._landing.mark = None
        for book, saved in zip(self._books, self._saved, strict=True):
            for store, kept in zip(book, saved, strict=True):
                _put_back(store, kept)


def _copy(book: Sequence[object]) -> list[dict[str, Any]]:
    return [
        {name: _entries(store, value) for name, value in vars(store).items() if _is_book(value)}
        for store in book
    ]


def _put_back(store: object, kept: dict[str, Any]) -> None:
    for name, value in kept.items():
        getattr(store, name).clear()
        getattr(store, name).update(_entries(store, value))


def _is_book(value: object) -> bool:
    return isinstance(value, dict)


def _entries(store: object, value: dict[Any, Any]) -> dict[Any, Any]:
    """Return entries as they are now; those of queues are changed in place."""
    if not isinstance(store, LooseQueues):
        return dict(value)
    return {
        queue: {name: replace(stored) for name, stored in messages.items()}
        for queue, messages in value.items()
    }
