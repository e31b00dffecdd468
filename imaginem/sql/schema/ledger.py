"""What work took: sums that stay, and what each job took."""

import uuid

from sqlalchemy import BigInteger, Float, Index, PrimaryKeyConstraint, String, UnicodeText, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from imaginem.sql.schema.base import KEY, Base
from imaginem.sql.types import exact


class LedgerSumRow(Base):
    """What was taken of one thing: for a batch, in a month, while the app was set up so.

    Attributes:
        number: made of the six columns that follow, which are too long for an index.
        batch_id: empty for work of no batch, and of erased ones.
    """

    __tablename__ = "ledger_sum"

    number: Mapped[uuid.UUID] = mapped_column(Uuid)
    batch_id: Mapped[str] = mapped_column(exact(KEY))
    month: Mapped[str] = mapped_column(String(7))
    setup: Mapped[str] = mapped_column(exact(300))
    step: Mapped[str] = mapped_column(exact(100))
    service: Mapped[str] = mapped_column(exact(100))
    operation: Mapped[str] = mapped_column(exact(100))
    calls: Mapped[int] = mapped_column(BigInteger)
    billed: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[float] = mapped_column(Float)
    tokens_in: Mapped[int] = mapped_column(BigInteger)
    tokens_out: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (
        PrimaryKeyConstraint("number", name="pk_ledger_sum"),
        Index("ix_ledger_sum_batch", "batch_id"),
    )


class LedgerJobRow(Base):
    """What one execution took for a job.

    Attributes:
        number: of the entry: it is added once.
        job: see `imaginem.sql.types.job_number`.
        amounts: lists of step, service, operation and numbers, as JSON.
    """

    __tablename__ = "ledger_job"

    number: Mapped[uuid.UUID] = mapped_column(Uuid)
    job: Mapped[uuid.UUID] = mapped_column(Uuid)
    batch_id: Mapped[str] = mapped_column(exact(KEY))
    id: Mapped[str] = mapped_column(exact(KEY))
    amounts: Mapped[str] = mapped_column(UnicodeText)

    __table_args__ = (
        PrimaryKeyConstraint("number", name="pk_ledger_job"),
        Index("ix_ledger_job_job", "job"),
        Index("ix_ledger_job_batch", "batch_id"),
    )
