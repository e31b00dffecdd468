"""Storage in memory that forgets, as an emulator does that is killed before it has saved."""

import copy
from dataclasses import dataclass
from typing import Any

from imaginem.testing import MemoryServices

SERVICES = ("blobs", "queues", "tables")


@dataclass(frozen=True)
class Saved:
    """The state of the three services at one moment; each can be restored alone."""

    states: dict[str, list[dict[str, Any]]]


class Forgetful:
    """Takes snapshots of services in memory, and lets each fall back to one.

    SQL and the landing lie in files of their own and forget nothing.
    """

    def __init__(self, services: MemoryServices) -> None:
        self._services = services

    def _parts(self) -> dict[str, list[tuple[Any, str]]]:
        services = self._services
        return {
            "blobs": [(services.blobs, "_blobs"), (services.blobs, "_infos")],
            "queues": [(services.queues, "_queues")],
            "tables": [
                (services.log, "_entries"),
                (services.poison, "_entries"),
                (services.drops, "_drops"),
                (services.shared_state, "_texts"),
            ],
        }

    def save(self) -> Saved:
        return Saved(
            {
                kind: [copy.deepcopy(getattr(store, name)) for store, name in parts]
                for kind, parts in self._parts().items()
            }
        )

    def fall_back(self, **moments: Saved) -> None:
        """Restore each named service to the state of its own moment."""
        for kind, saved in moments.items():
            for (store, name), state in zip(self._parts()[kind], saved.states[kind], strict=True):
                setattr(store, name, copy.deepcopy(state))
