"""The ledger: what work took of services, storage, time and tokens.

It holds no personal data but the ids of jobs and batches, and those go with an erasure: the sums
stay.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from imaginem.ports.erasing import Erasable
from imaginem.ports.storage import JobKey

STORAGE, FUNCTIONS, STEP = "storage", "functions", "step"
"""Services that are none of AI: storage, the function app, and the steps themselves.

The operations of storage are `queue`, `table` or `blob` with `read`, `write` or `delete`, and
`queue host`, which the Functions host makes. The function app has `execution`: a delivery of a
message. A step has `run`: it was begun; and `end`: it need not be tried again, so there is one for
each photo.
"""


@dataclass(frozen=True, order=True)
class LedgerItem:
    """What is counted.

    Attributes:
        step: that ran; for other work its purpose, which has a space in it as no step's name has.
        service: an AI account such as `vision`, or one of `STORAGE`, `FUNCTIONS` and `STEP`.
        operation: of that service.
    """

    step: str
    service: str
    operation: str


@dataclass(frozen=True)
class Amount:
    """How much of it.

    Attributes:
        calls: requests that were sent, refused ones too.
        billed: units that a service counts for them: an analysis of seven features is seven, and
            a refusal none. What was sent by a process that then died counts as billed.
        seconds: for which it ran; of an execution, those that Flex Consumption bills.
        tokens_in: that a language model read.
        tokens_out: that it wrote.
    """

    calls: int = 0
    billed: int = 0
    seconds: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        """Return both together."""
        return Amount(
            self.calls + other.calls,
            self.billed + other.billed,
            self.seconds + other.seconds,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
        )


Amounts = Mapping[LedgerItem, Amount]


@dataclass(frozen=True)
class LedgerEntry:
    """What one execution took.

    Attributes:
        batch_id: whom it worked for; empty if for no batch.
        job_id: of the job; empty if it worked for none, or for one that was erased.
        amounts: what it took.
        month: in which, as `2026-11`.
        setup: how the app was set up, see `Ledger.sums`.
        id: of the entry; an entry of a job that is there already is not added again.
    """

    batch_id: str
    job_id: str
    amounts: Amounts
    month: str = ""
    setup: str = ""
    id: uuid.UUID = field(default_factory=uuid.uuid4)


def added(*sums: Amounts) -> dict[LedgerItem, Amount]:
    """Return several amounts as one."""
    total: dict[LedgerItem, Amount] = {}
    for amounts in sums:
        for item, amount in amounts.items():
            total[item] = total.get(item, Amount()) + amount
    return total


class Ledger(Erasable, Protocol):
    """What work took. Erasing a job or a batch takes the ids away, and leaves the sums."""

    def add(self, entries: Sequence[LedgerEntry]) -> None:
        """Add what executions took, now or within a moment; an entry without amounts is nothing."""

    def note(self, entry: LedgerEntry) -> None:
        """Note a part of an entry that is added later, should this process die before.

        Args:
            entry: with the id of the whole, and what was just used.
        """

    def sums(self, *, batch_id: str | None = None, setup: str | None = None) -> Amounts:
        """Return what was taken altogether.

        Args:
            batch_id: only for this batch; empty: for none, or for one that was erased.
            setup: only while the app was set up so: which engines, fused or not.
        """

    def by_batch(self, batch_ids: Collection[str]) -> Mapping[str, Amounts]:
        """Return what was taken for each of these batches, as far as there is anything."""

    def by_month(self) -> Mapping[str, Amounts]:
        """Return what was taken in each month, named as `2026-11`."""

    def of_job(self, key: JobKey) -> Amounts:
        """Return what was taken for a job."""

    def by_job(self, batch_id: str) -> Mapping[str, Amounts]:
        """Return what was taken for each job of a batch, by job id."""

    def settle(self) -> None:
        """Write what waits to be written."""

    def recover(self) -> None:
        """Write what waits, also of processes of this machine that died."""
