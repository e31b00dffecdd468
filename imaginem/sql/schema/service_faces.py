"""Tables of what a service that keeps prints calls its faces."""

import uuid
from datetime import datetime

from sqlalchemy import Index, PrimaryKeyConstraint, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from imaginem.sql.schema.base import Base, now
from imaginem.sql.types import UtcTime


class ServiceFaceRow(Base):
    """What a face is called by the service that keeps its print.

    Attributes:
        service_face_id: searchable at once, until `lapses`.
        list_id, persisted_face_id: in a face list, searchable once that is trained.
        training: of the list, that covers the face; empty before.
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
        training: that runs now; empty when none does.
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

    The row is made before the call and goes after it. One that stays tells that the call was cut
    short: the list may hold a face under a name that nobody knows.
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
    """A face that the service must forget still: it is gone here already."""

    __tablename__ = "face_removal"

    list_id: Mapped[str] = mapped_column(String(64))
    persisted_face_id: Mapped[str] = mapped_column(String(64))
    since: Mapped[datetime] = mapped_column(UtcTime, default=now)

    __table_args__ = (PrimaryKeyConstraint("list_id", "persisted_face_id", name="pk_face_removal"),)
