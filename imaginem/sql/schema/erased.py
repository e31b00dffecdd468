"""What tells that a run of a job was erased, and whose an erased batch's id stays."""

from datetime import datetime

from sqlalchemy import PrimaryKeyConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from imaginem.sql.schema.base import KEY, Base, now
from imaginem.sql.types import UtcTime, exact


class ErasedBatchRow(Base):
    """An erased batch that belonged to a group: no other group gets what is sent there later.

    Attributes:
        mark: keyed hash of the batch id, which names nobody; the id itself where a version before
            the marks erased it.
    """

    __tablename__ = "erased_batch"

    mark: Mapped[str] = mapped_column(exact(KEY))
    group_name: Mapped[str] = mapped_column(exact(200))

    __table_args__ = (PrimaryKeyConstraint("mark", name="pk_erased_batch", mssql_clustered=False),)


class ErasedRunRow(Base):
    """A run that was erased. Rows are tiny and stay: a message may come at any time.

    Attributes:
        mark: keyed hash of batch, job and run, which names nobody.
    """

    __tablename__ = "erased_run"

    mark: Mapped[str] = mapped_column(String(64))
    since: Mapped[datetime] = mapped_column(UtcTime, default=now)

    __table_args__ = (PrimaryKeyConstraint("mark", name="pk_erased_run"),)
