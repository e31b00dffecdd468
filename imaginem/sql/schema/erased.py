"""What tells that a run of a job was erased."""

from datetime import datetime

from sqlalchemy import PrimaryKeyConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from imaginem.sql.schema.base import Base, now
from imaginem.sql.types import UtcTime


class ErasedRunRow(Base):
    """A run that was erased. Rows are tiny and stay: a message may come at any time.

    Attributes:
        mark: keyed hash of batch, job and run, which names nobody.
    """

    __tablename__ = "erased_run"

    mark: Mapped[str] = mapped_column(String(64))
    since: Mapped[datetime] = mapped_column(UtcTime, default=now)

    __table_args__ = (PrimaryKeyConstraint("mark", name="pk_erased_run"),)
