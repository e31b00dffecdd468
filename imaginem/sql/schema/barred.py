"""The table of photos that may not come back."""

from datetime import datetime

from sqlalchemy import Index, PrimaryKeyConstraint, String, Unicode
from sqlalchemy.orm import Mapped, mapped_column

from imaginem.sql.schema.base import Base, now
from imaginem.sql.types import UtcTime, exact


class BarredPhotoRow(Base):
    """A photo that is barred in the batches of a group.

    Attributes:
        mark: keyed hash of the group and of the photo's bytes.
        group_name: empty: in batches of no group.
    """

    __tablename__ = "barred_photo"

    mark: Mapped[str] = mapped_column(String(64))
    group_name: Mapped[str] = mapped_column(exact(200))
    at: Mapped[datetime] = mapped_column(UtcTime, default=now)
    who: Mapped[str] = mapped_column(Unicode(200))

    __table_args__ = (
        PrimaryKeyConstraint("mark", name="pk_barred_photo"),
        Index("ix_barred_photo_group", "group_name"),
    )
