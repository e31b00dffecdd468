"""Messages that could not be processed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class PoisonEntry:
    """A message that could not be processed, and why.

    Attributes:
        body: of the message; empty in a page of entries.
        kind: `invalid`, `exhausted`, `defect` or `lost`; empty for what earlier versions kept.
    """

    queue: str
    id: str
    reason: str
    body: str
    attempts: int = 1
    batch_id: str = ""
    job_id: str = ""
    at: datetime | None = None
    kind: str = ""


@dataclass(frozen=True)
class PoisonFilter:
    """Which entries are meant: those that fit every field that is given.

    Attributes:
        reason: a part of the reason, in whatever case.
        until: kept at this moment at the latest.
    """

    queue: str = ""
    batch_id: str = ""
    job_id: str = ""
    reason: str = ""
    kind: str = ""
    until: datetime | None = None

    def fits(self, entry: PoisonEntry) -> bool:
        """Tell whether an entry is meant."""
        wanted = (self.queue, self.batch_id, self.job_id, self.kind)
        had = (entry.queue, entry.batch_id, entry.job_id, entry.kind)
        if any(want and want != have for want, have in zip(wanted, had, strict=True)):
            return False
        if self.until is not None and entry.at is not None and entry.at > self.until:
            return False
        return self.reason.casefold() in entry.reason.casefold()


@dataclass(frozen=True)
class PoisonPage:
    """Some entries without their bodies; `cursor` leads to the next ones, empty at the end."""

    entries: Sequence[PoisonEntry]
    cursor: str = ""


class PoisonLog(Protocol):
    """The table `pipelinepoison`."""

    def add(self, entry: PoisonEntry) -> None:
        """Keep an entry; the same queue and id again replaces it."""

    def correct(self, entry: PoisonEntry) -> None:
        """Keep an entry with another body; nothing of the one before stays."""

    def list(self, queue: str | None = None) -> list[PoisonEntry]:
        """Return the entries of one queue or of all, by queue and id, with their bodies."""

    def page(self, wanted: PoisonFilter, cursor: str = "", limit: int = 100) -> PoisonPage:
        """Return entries by queue and id; no body is read.

        Raises:
            InvalidMessage: the cursor is not valid.
        """

    def count(self, wanted: PoisonFilter, most: int) -> int:
        """Return how many entries there are; counting ends at `most`. No body is read."""

    def read(self, queue: str, message_id: str) -> PoisonEntry | None:
        """Return one entry."""

    def drop(self, queue: str, message_id: str) -> None:
        """Remove an entry if it exists."""
