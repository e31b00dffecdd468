"""What tells whoever keeps a copy of the gallery's embeddings that they have changed."""

import uuid

from sqlalchemy import BigInteger, Integer, PrimaryKeyConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from imaginem.sql.schema.base import Base


class GalleryStateRow(Base):
    """The gallery's state: one row, which every transaction that changes faces locks first.

    Attributes:
        id: always 1.
        version: grows by one with each change.
        stamp: a new random value with each change: a restored or another database that has come
            to the same version has another one.
    """

    __tablename__ = "gallery_state"

    id: Mapped[int] = mapped_column(Integer, autoincrement=False)
    version: Mapped[int] = mapped_column(BigInteger)
    stamp: Mapped[uuid.UUID] = mapped_column(Uuid)

    __table_args__ = (PrimaryKeyConstraint("id", name="pk_gallery_state"),)


class GalleryChangeRow(Base):
    """One of the last changes of the gallery.

    Attributes:
        version: of the gallery after it.
        number: of a row of `face` that it removed; 0 in the one row that each change has.
        stamp: of that version.
    """

    __tablename__ = "gallery_change"

    version: Mapped[int] = mapped_column(BigInteger, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger, autoincrement=False)
    stamp: Mapped[uuid.UUID] = mapped_column(Uuid)

    __table_args__ = (PrimaryKeyConstraint("version", "number", name="pk_gallery_change"),)
