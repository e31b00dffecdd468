"""What was accepted, kept apart from storage until storage has saved it for good.

Azure Storage keeps what it acknowledges. The storage emulator does not: it writes its books some
seconds later, and what was written in between is gone when it is killed.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from imaginem.ports.erasing import Erasable
from imaginem.ports.storage import JobKey


@dataclass(frozen=True)
class LandedPhoto:
    """A photo's blob: where it lies, and how to put it there again.

    Attributes:
        sha256: of its bytes, in hexadecimal.
        metadata: of the blob.
        dropped: somebody else wrote the blob, and may replace it at any time.
    """

    container: str
    name: str
    sha256: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    dropped: bool = False


@dataclass(frozen=True)
class LandedJob:
    """A job message as it is sent to its first queue.

    Attributes:
        queue: where it is sent.
        body: its text; it may hold the query of an address, which is a secret.
        group: who may see the batch; empty for everybody.
        photo: the job's photo, if its bytes landed with it.
        run: id of the run that it starts; empty as long as that is not known.
        id: of the entry; empty for one that has not landed yet.
        at: when it landed.
    """

    key: JobKey
    queue: str
    body: str = field(repr=False)
    group: str = ""
    photo: LandedPhoto | None = None
    run: str = ""
    id: str = ""
    at: datetime | None = None


class Deed(StrEnum):
    """What people decide beside sending photos, and storage must not forget."""

    CANCEL = "cancel"
    REOPEN = "reopen"
    PAUSE = "pause"
    RESUME = "resume"
    BUDGET = "budget"
    ERASE = "erase"


@dataclass(frozen=True)
class Decision:
    """A batch was cancelled, reopened, paused, resumed, given a budget or erased; or a job erased.

    Attributes:
        usd: the batch's budget in US dollars; None if it has none from then on.
        job_ids: the jobs that are erased.
        whole: the whole batch is erased, jobs that are not named included.
        id: of the entry; empty for one that has not landed yet.
        at: when it landed.
    """

    deed: Deed
    batch_id: str
    job_ids: tuple[str, ...] = ()
    whole: bool = False
    id: str = ""
    at: datetime | None = None
    usd: float | None = None


class Landing(Erasable, Protocol):
    """Jobs, their photos and decisions, safe on the disk before anybody is told `accepted`.

    Several processes use it at once. Erasing a job removes its entries, but not the decision that
    it is erased: that stays until storage has saved the erasure.
    """

    @property
    def active(self) -> bool:
        """Tell whether anything lands here; not where storage keeps what it acknowledges."""

    def sending(self) -> AbstractContextManager[None]:
        """Land and send a job inside this `with` block: storage is not compared meanwhile.

        Raises:
            StorageUnavailable: it has been compared with what landed for a minute.
        """

    def land(self, job: LandedJob, photo: bytes | None = None) -> LandedJob:
        """Keep a job and its photo's bytes; return it with its id once it is safe.

        Raises:
            DiskFull: there is no room; nothing is kept then.
            ConfigurationError: the folder can't be written.
        """

    def sent(self, job: LandedJob, run: str) -> None:
        """Note the run that a landed job has started: from then on it is accepted."""

    def jobs(self) -> list[LandedJob]:
        """Return the landed jobs, oldest first."""

    def photo(self, job: LandedJob) -> bytes:
        """Return a landed photo's bytes. Raises NotFound."""

    def remove(self, job: LandedJob) -> None:
        """Remove a job's entry if it exists."""

    def decide(self, decision: Decision) -> Decision:
        """Keep a decision; return it with its id once it is safe. Raises as `land` does."""

    def decisions(self) -> list[Decision]:
        """Return the decisions, oldest first."""

    def settle(self, decision: Decision) -> None:
        """Remove a decision if it exists."""

    def ask_storage(self) -> None:
        """Leave a mark in storage by which `saved_until` learns what was saved.

        Raises:
            StorageUnavailable: storage did not answer.
        """

    def saved_until(self) -> datetime | None:
        """Return a moment: what storage acknowledged before it outlives storage's death.

        None as long as nothing is known to be saved.
        """

    def storage_stopped(self) -> None:
        """Note that storage ended in good order just now: all that it acknowledged is saved."""

    def stopped_at(self) -> datetime | None:
        """Return when storage last ended in good order, None if it has started again since."""

    def storage_starts(self) -> None:
        """Let nobody send from now on: what lies here is going to be compared with storage."""

    def storage_started(self) -> None:
        """Note that storage runs again: how it ended before tells nothing; jobs may be sent."""


class NoLanding:
    """For storage that keeps what it acknowledges: nothing lands."""

    holds: Sequence[str] = ()
    active = False

    def sending(self) -> AbstractContextManager[None]:
        """Let everybody send at any time."""
        return nullcontext()

    def land(self, job: LandedJob, photo: bytes | None = None) -> LandedJob:
        """Keep nothing."""
        return job

    def sent(self, job: LandedJob, run: str) -> None:
        """Do nothing."""

    def jobs(self) -> list[LandedJob]:
        """Return none."""
        return []

    def photo(self, job: LandedJob) -> bytes:
        """Return nothing; no job landed."""
        return b""

    def remove(self, job: LandedJob) -> None:
        """Do nothing."""

    def decide(self, decision: Decision) -> Decision:
        """Keep nothing."""
        return decision

    def decisions(self) -> list[Decision]:
        """Return none."""
        return []

    def settle(self, decision: Decision) -> None:
        """Do nothing."""

    def ask_storage(self) -> None:
        """Do nothing."""

    def saved_until(self) -> datetime | None:
        """Return None: nobody needs to know."""
        return None

    def storage_stopped(self) -> None:
        """Do nothing."""

    def stopped_at(self) -> datetime | None:
        """Return None: nobody needs to know."""
        return None

    def storage_starts(self) -> None:
        """Do nothing."""

    def storage_started(self) -> None:
        """Do nothing."""

    def erase(self, key: JobKey) -> None:
        """Do nothing."""

    def erase_batch(self, batch_id: str, job_ids: object) -> None:
        """Do nothing."""
