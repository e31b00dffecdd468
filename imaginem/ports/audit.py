"""The audit trail: who did what to which photos, in chains that show when one is changed."""

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

NO_DIGEST = "0" * 64
"""What stands in a chain's first entry for the digest of the one before."""


class AuditDeed(StrEnum):
    """What somebody did."""

    VIEWED = "viewed"
    DOWNLOADED = "downloaded"
    SEARCHED = "searched"
    SEARCHED_FACES = "searched_faces"
    SUBMITTED = "submitted"
    REFUSED = "refused"
    REVIEWED = "reviewed"
    EXPORTED = "exported"
    ERASED = "erased"
    BARRED = "barred"
    LIFTED = "lifted"
    RAN_AGAIN = "ran_again"
    CANCELLED = "cancelled"
    REOPENED = "reopened"
    PAUSED = "paused"
    RESUMED = "resumed"
    BUDGETED = "budgeted"
    REPLAYED = "replayed"
    DROPPED = "dropped"
    CLEARED = "cleared"
    READ_AUDIT = "read_audit"


class AuditSubject(StrEnum):
    """What it was done to."""

    PHOTOS = "photos"
    BATCH = "batch"
    JOB = "job"
    FACE = "face"
    PHOTO = "photo"
    QUEUE = "queue"
    AUDIT = "audit"


@dataclass(frozen=True)
class AuditEntry:
    """One deed. It names nobody who is in a photo: ids stand here as keyed hashes.

    Attributes:
        chain: of its writer; begins with the day on which it was begun.
        number: of the entry in its chain, from 1.
        at: when, in UTC, as ISO 8601 writes it.
        who: the caller's name, as the login gives it.
        deed: of `AuditDeed`.
        kind: of `AuditSubject`.
        subject: keyed hash of the job, batch, face or photo; empty for many.
        batch: keyed hash of the batch; empty where there is none.
        purpose: that was chosen; empty where none is asked for.
        previous: digest of the entry before.
        digest: SHA-256 of all of these.
    """

    chain: str
    number: int
    at: str
    who: str
    deed: str
    kind: str
    subject: str = ""
    batch: str = ""
    purpose: str = ""
    previous: str = NO_DIGEST
    digest: str = ""

    def own_digest(self) -> str:
        """Return the digest that the entry must have."""
        told = [
            self.chain,
            self.number,
            self.at,
            self.who,
            self.deed,
            self.kind,
            self.subject,
            self.batch,
            self.purpose,
            self.previous,
        ]
        text = json.dumps(told, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("ascii")).hexdigest()


class AuditTrail(Protocol):
    """The table `pipelineaudit`: entries are added, and old chains removed as a whole."""

    def append(self, entries: Sequence[AuditEntry]) -> None:
        """Keep up to 100 entries of one chain, all of them or none.

        Raises:
            Conflict: one of these numbers is in the chain already; nothing was kept.
        """

    def read(self, since: str = "", until: str = "") -> Iterator[AuditEntry]:
        """Return entries by chain and number, a page at a time.

        Args:
            since: chains whose name sorts before it are left out; empty for none.
            until: chains from this name on are left out; empty for none.
        """

    def remove_chain(self, chain: str) -> None:
        """Remove all entries of a chain, which has become too old to be kept."""


class AuditLog(Protocol):
    """Where use cases say what was done."""

    def record(
        self,
        who: str,
        deed: AuditDeed,
        kind: AuditSubject,
        ids: Collection[str] = (),
        purpose: str = "",
    ) -> None:
        """Keep a deed; it is kept when this returns.

        Args:
            who: did it.
            deed: what was done.
            kind: to what.
            ids: of the batch, of batch and job, of the face, or the photo's SHA-256; they are kept
                as keyed hashes.
            purpose: that was chosen.

        Raises:
            StorageUnavailable: it could not be kept; what is not kept must not be done.
        """
