"""The tables; `migrations` bring a database to this state, and a test compares the two."""

import uuid
from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Float,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Unicode,
    UnicodeText,
    UniqueConstraint,
    Uuid,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from imaginem.sql.types import UtcTime, exact, vector

KEY = 512
"""Characters of a batch id or a job id at most, as in the log table."""
DIMENSIONS = 512
"""Of the embedding of the face model that comes with Imaginem."""
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts in INTEGER alone


def now() -> datetime:
    """Return the current moment."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """Base of the tables."""


class PipelineOutput(Base):
    """One job's result; `job` stands for batch id and id in other tables.

    Attributes:
        full_text: for search, in small letters (`str.casefold`); as it was read it is in
            `job_output`.
        problems: 1 if a step failed or was skipped.
    """

    __tablename__ = "pipeline_output"

    batch_id: Mapped[str] = mapped_column(exact(KEY))
    id: Mapped[str] = mapped_column(exact(KEY))
    job: Mapped[uuid.UUID] = mapped_column(Uuid)
    processing_pipeline: Mapped[str] = mapped_column(UnicodeText)
    image_url: Mapped[str] = mapped_column(UnicodeText)
    image_parameters: Mapped[str] = mapped_column(UnicodeText, default="null")
    photo_url: Mapped[str] = mapped_column(UnicodeText, default="")
    job_output: Mapped[str] = mapped_column(UnicodeText)
    unfinished: Mapped[str] = mapped_column(UnicodeText, default="")
    full_text: Mapped[str] = mapped_column(UnicodeText, default="")
    faces: Mapped[int] = mapped_column(default=0)
    problems: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    timestamp: Mapped[datetime] = mapped_column(UtcTime, default=now, onupdate=now)

    __table_args__ = (
        # Clustered, Azure SQL would take no more than 900 bytes of key; so it takes 1,700.
        PrimaryKeyConstraint("batch_id", "id", name="pk_pipeline_output", mssql_clustered=False),
        UniqueConstraint("job", name="uq_pipeline_output_job"),
        Index("ix_pipeline_output_timestamp", "timestamp"),
        # All that a batch's counts need: the rows themselves are long.
        Index("ix_pipeline_output_batch", "batch_id", "problems", "faces"),
    )


class PhotoBatch(Base):
    """A batch of photos.

    Attributes:
        group_name: who may see it; empty: everybody with a role.
        erased: only the group is kept, so that the name stays the group's.
    """

    __tablename__ = "photo_batch"

    batch_id: Mapped[str] = mapped_column(exact(KEY))
    group_name: Mapped[str] = mapped_column(exact(200), default="")
    erased: Mapped[bool] = mapped_column(default=False, server_default=false())
    created: Mapped[datetime] = mapped_column(UtcTime, default=now)

    __table_args__ = (
        PrimaryKeyConstraint("batch_id", name="pk_photo_batch", mssql_clustered=False),
        Index("ix_photo_batch_created", "created"),
    )


class SubmissionRow(Base):
    """A photo that was sent, so that it counts before its first step.

    Attributes:
        run: id of the queue message; unknown to the log until the first step begins.
    """

    __tablename__ = "submission"

    job: Mapped[uuid.UUID] = mapped_column(Uuid)
    batch_id: Mapped[str] = mapped_column(exact(KEY))
    id: Mapped[str] = mapped_column(exact(KEY))
    run: Mapped[str] = mapped_column(String(64))
    parameters: Mapped[str] = mapped_column(UnicodeText, default="null")
    since: Mapped[datetime] = mapped_column(UtcTime, default=now)

    __table_args__ = (
        PrimaryKeyConstraint("job", name="pk_submission"),
        Index("ix_submission_batch", "batch_id"),
    )


class Label(Base):
    """A tag, category or object of a photo, for search."""

    __tablename__ = "photo_label"

    job: Mapped[uuid.UUID] = mapped_column(
        Uuid,
        ForeignKey("pipeline_output.job", name="fk_photo_label_job", ondelete="CASCADE"),
    )
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(exact(200))
    confidence: Mapped[float] = mapped_column(Float)

    __table_args__ = (
        PrimaryKeyConstraint("job", "kind", "name", name="pk_photo_label"),
        Index("ix_photo_label_kind_name", "kind", "name"),
    )


class FaceRow(Base):
    """A face; embeddings of different models are never compared.

    Attributes:
        embedding: L2-normalised float32; None where a service keeps the print.
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

    __table_args__ = (
        PrimaryKeyConstraint("number", name="pk_face"),
        UniqueConstraint("face_id", name="uq_face_face_id"),
        Index("ix_face_job", "job"),
        Index("ix_face_model", "model", "number"),
        # SQLite must never give a removed face's number to a new one: searches ask for
        # "numbers above the last I know".
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


class VerdictRow(Base):
    """What a person says of two faces; one row a pair, the smaller id first."""

    __tablename__ = "face_verdict"

    face_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    other_face_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    verdict: Mapped[str] = mapped_column(String(16))
    who: Mapped[str] = mapped_column(Unicode(200))
    at: Mapped[datetime] = mapped_column(UtcTime, default=now)

    __table_args__ = (
        PrimaryKeyConstraint("face_id", "other_face_id", name="pk_face_verdict"),
        Index("ix_face_verdict_other", "other_face_id"),
    )


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
