"""The tables."""

import uuid
from datetime import UTC, datetime

from sqlalchemy import DateTime as SqlDateTime
from sqlalchemy import (
    Float,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    Unicode,
    UnicodeText,
    Uuid,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

_KEY = 512


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite keeps no zone, so it is put back on reading."""

    impl = SqlDateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Write UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Read UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def now() -> datetime:
    """Return the current moment."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """Base of the tables."""


class PipelineOutput(Base):
    """One job's result."""

    __tablename__ = "pipeline_output"

    batch_id: Mapped[str] = mapped_column(Unicode(_KEY), primary_key=True)
    id: Mapped[str] = mapped_column(Unicode(_KEY), primary_key=True)
    processing_pipeline: Mapped[str] = mapped_column(UnicodeText)
    image_url: Mapped[str] = mapped_column(UnicodeText)
    image_parameters: Mapped[str] = mapped_column(UnicodeText, default="null")
    photo_url: Mapped[str] = mapped_column(UnicodeText, default="")
    job_output: Mapped[str] = mapped_column(UnicodeText)
    unfinished: Mapped[str] = mapped_column(UnicodeText, default="")
    full_text: Mapped[str] = mapped_column(UnicodeText, default="")
    faces: Mapped[int] = mapped_column(default=0)
    timestamp: Mapped[datetime] = mapped_column(UtcTime, default=now, onupdate=now)

    __table_args__ = (Index("ix_pipeline_output_timestamp", "timestamp"),)


class Label(Base):
    """A tag, category or object of a photo, for search."""

    __tablename__ = "photo_label"

    batch_id: Mapped[str] = mapped_column(Unicode(_KEY), primary_key=True)
    id: Mapped[str] = mapped_column(Unicode(_KEY), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(Unicode(200), primary_key=True)
    confidence: Mapped[float] = mapped_column(Float)

    __table_args__ = (
        ForeignKeyConstraint(
            ["batch_id", "id"],
            ["pipeline_output.batch_id", "pipeline_output.id"],
            ondelete="CASCADE",
        ),
        Index("ix_photo_label_kind_name", "kind", "name"),
    )


class FaceRow(Base):
    """A face and its embedding; embeddings of different models are never compared."""

    __tablename__ = "face"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    face_id: Mapped[uuid.UUID] = mapped_column(Uuid, unique=True)
    batch_id: Mapped[str] = mapped_column(Unicode(_KEY))
    job_id: Mapped[str] = mapped_column(Unicode(_KEY))
    photo_sha256: Mapped[str] = mapped_column(String(64))
    left: Mapped[int]
    top: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    model: Mapped[str] = mapped_column(String(100))
    embedding: Mapped[bytes] = mapped_column(LargeBinary)
    quality: Mapped[float] = mapped_column(Float)
    enrolled: Mapped[datetime] = mapped_column(UtcTime, default=now)

    __table_args__ = (
        Index("ix_face_job", "batch_id", "job_id"),
        Index("ix_face_model", "model", "number"),
        # SQLite must never give a removed face's number to a new one: searches ask for
        # "numbers above the last I know".
        {"sqlite_autoincrement": True},
    )


class FaceMatchRow(Base):
    """A pair of faces that look alike; each pair has two rows, one from either side."""

    __tablename__ = "face_match"

    face_id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    matched_face_id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    confidence: Mapped[float] = mapped_column(Float)
    band: Mapped[str] = mapped_column(String(16))
    found: Mapped[datetime] = mapped_column(UtcTime, default=now)

    __table_args__ = (Index("ix_face_match_matched", "matched_face_id"),)
