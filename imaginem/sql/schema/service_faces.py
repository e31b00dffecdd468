"""Tables of the ids that faces have at a service that keeps their embeddings."""

import uuid
from datetime import datetime

from sqlalchemy import Index, PrimaryKeyConstraint, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from imaginem.sql.schema.base import Base, now
from imaginem.sql.types import UtcTime


class ServiceFaceRow(Base):
    """A face's ids at the service that keeps its embedding.

    Attributes:
        service_face_id: a temporary id, searchable at once, until `lapses`.
        list_id, persisted_face_id: its place in a face list, searchable once that is trained.
        training: the list's training that covers the face; empty before.
        trained: that training has succeeded.
    """

    __tablename__ = "service_face"

    face_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    service_face_id: Mapped[str] = mapped_column(String(64), default="")
    lapses: Mapped[datetime | None] = mapped_column(UtcTime)
    list_id: Mapped[str] = mapped_column(String(64), default="")
    persisted_face_id: Mapped[str] = mapped_column(String(64), default="")
    training: Mapped[str] = mapped_column(String(36), default="")
    trained: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (
        PrimaryKeyConstraint("face_id", name="pk_service_face"),
        Index("ix_service_face_persisted", "list_id", "persisted_face_id"),
        Index("ix_service_face_trained", "trained", "lapses"),
    )


class FaceListRow(Base):
    """A face list of the service.

    Attributes:
        account: address of the Face account that it is in.
        number: lists are filled one after the other.
        full: takes no more faces.
        changed: something was added or removed since the last training began.
        training: the one that runs now; empty when none does.
        searchable: a training has succeeded.
    """

    __tablename__ = "face_list"

    list_id: Mapped[str] = mapped_column(String(64))
    account: Mapped[str] = mapped_column(String(200))
    number: Mapped[int]
    full: Mapped[bool] = mapped_column(default=False)
    changed: Mapped[bool] = mapped_column(default=False)
    training: Mapped[str] = mapped_column(String(36), default="")
    training_began: Mapped[datetime | None] = mapped_column(UtcTime)
    searchable: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (PrimaryKeyConstraint("list_id", name="pk_face_list"),)


class AdditionRow(Base):
    """A face that is being added to a list of the service.

    The row is inserted before the call to the service and deleted after it. A row that stays
    means that the call was interrupted: the list may hold a face whose id is not known here.
    """

    __tablename__ = "face_addition"

    addition: Mapped[uuid.UUID] = mapped_column(Uuid)
    face_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    list_id: Mapped[str] = mapped_column(String(64))
    since: Mapped[datetime] = mapped_column(UtcTime, default=now)

    __table_args__ = (
        PrimaryKeyConstraint("addition", name="pk_face_addition"),
        Index("ix_face_addition_list", "list_id", "since"),
    )


class RemovalRow(Base):
    """A face that was erased here and is still to be removed from a list of the service."""

    __tablename__ = "face_removal"

    list_id: Mapped[str] = mapped_column(String(64))
    persisted_face_id: Mapped[str] = mapped_column(String(64))
    since: Mapped[datetime] = mapped_column(UtcTime, default=now)

    __table_args__ = (PrimaryKeyConstraint("list_id", "persisted_face_id", name="pk_face_removal"),)
