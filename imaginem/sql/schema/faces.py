"""Tables of the face gallery."""

import uuid
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Float,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Unicode,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.orm import Mapped, mapped_column

from imaginem.sql.schema.base import KEY, Base, now
from imaginem.sql.types import UtcTime, exact, vector

DIMENSIONS = 512
"""Of the embedding of the face model that comes with Imaginem."""
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts in INTEGER alone


class FaceRow(Base):
    """A face; embeddings of different models are never compared.

    Attributes:
        embedding: L2-normalised float32; None where a service keeps it.
        run: of the job that enrolled it last; empty if that is not known.
    """

    __tablename__ = "face"

    number: Mapped[int] = mapped_column(_NUMBER, autoincrement=True)
    face_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    job: Mapped[uuid.UUID] = mapped_column(Uuid)
    batch_id: Mapped[str] = mapped_column(exact(KEY))
    job_id: Mapped[str] = mapped_column(exact(KEY))
    photo_sha256: Mapped[str] = mapped_column(String(64))
    left: Mapped[int]
    top: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    model: Mapped[str] = mapped_column(String(100))
    embedding: Mapped[bytes | None] = mapped_column(vector(DIMENSIONS))
    quality: Mapped[float] = mapped_column(Float)
    enrolled: Mapped[datetime] = mapped_column(UtcTime, default=now)
    run: Mapped[str] = mapped_column(exact(64), default="", server_default="")

    __table_args__ = (
        PrimaryKeyConstraint("number", name="pk_face"),
        UniqueConstraint("face_id", name="uq_face_face_id"),
        Index("ix_face_job", "job"),
        Index("ix_face_model", "model", "number"),
        # SQLite must never give a removed face's number to a new one: a search reads the rows
        # above the highest number that it has read before.
        {"sqlite_autoincrement": True},
    )


class FaceMatchRow(Base):
    """A pair of faces that look alike; each pair has two rows, one from either side."""

    __tablename__ = "face_match"

    face_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    matched_face_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    confidence: Mapped[float] = mapped_column(Float)
    band: Mapped[str] = mapped_column(String(16))
    found: Mapped[datetime] = mapped_column(UtcTime, default=now)

    __table_args__ = (
        PrimaryKeyConstraint("face_id", "matched_face_id", name="pk_face_match"),
        Index("ix_face_match_matched", "matched_face_id"),
    )


class ReviewRow(Base):
    """A person's decision on two faces; one row a pair, the smaller id first."""

    __tablename__ = "face_verdict"

    face_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    other_face_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    decision: Mapped[str] = mapped_column("verdict", String(16))
    reviewer: Mapped[str] = mapped_column("who", Unicode(200))
    at: Mapped[datetime] = mapped_column(UtcTime, default=now)

    __table_args__ = (
        PrimaryKeyConstraint("face_id", "other_face_id", name="pk_face_verdict"),
        Index("ix_face_verdict_other", "other_face_id"),
    )


class SuppressedFaceRow(Base):
    """A face that was erased from a photo that stays, and is not to be found there again.

    Attributes:
        face: keyed hash of its id.
        group_name: whose batches it is suppressed in; empty: those of no group.
        photo: keyed hash of the photo's SHA-256; empty if that was not known.
        left, top, width, height: where it is; all 0 if that was not known.
        face_id, batch_id, job_id: empty once the erasure is finished.
    """

    __tablename__ = "suppressed_face"

    face: Mapped[str] = mapped_column(String(64))
    group_name: Mapped[str] = mapped_column(exact(200))
    photo: Mapped[str] = mapped_column(String(64))
    left: Mapped[int]
    top: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    since: Mapped[datetime] = mapped_column(UtcTime, default=now)
    face_id: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    batch_id: Mapped[str] = mapped_column(exact(KEY))
    job_id: Mapped[str] = mapped_column(exact(KEY))

    __table_args__ = (
        PrimaryKeyConstraint("face", name="pk_suppressed_face"),
        Index("ix_suppressed_face_photo", "group_name", "photo"),
    )
