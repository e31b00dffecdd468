"""Tables of jobs: results, labels, submissions, batches."""

import uuid
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Double,
    Float,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    UnicodeText,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from imaginem.sql.schema.base import KEY, Base, now
from imaginem.sql.text_types import tokens_type
from imaginem.sql.types import UtcTime, exact

_NUMBER = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts in INTEGER alone


class PipelineOutput(Base):
    """One job's result; `job` is its number in other tables, made of batch id and id.

    Attributes:
        full_text: in small letters (`str.casefold`); the text as the engine read it is in
            `job_output`, and what is searched in `photo_text`.
        problems: 1 if a step failed or was skipped.
        run: id of the run that wrote it; empty in rows of earlier versions.
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
    run: Mapped[str] = mapped_column(exact(64), default="", server_default="")

    __table_args__ = (
        # Azure SQL allows a key of 900 bytes in a clustered index, of 1,700 in another one.
        PrimaryKeyConstraint("batch_id", "id", name="pk_pipeline_output", mssql_clustered=False),
        UniqueConstraint("job", name="uq_pipeline_output_job"),
        Index("ix_pipeline_output_timestamp", "timestamp"),
        # Has all columns that a batch's counts need, so that the long rows are not read.
        Index("ix_pipeline_output_batch", "batch_id", "problems", "faces"),
    )


class PhotoBatch(Base):
    """A batch of photos.

    Attributes:
        group_name: who may see it; empty: everybody with a role.
    """

    __tablename__ = "photo_batch"

    batch_id: Mapped[str] = mapped_column(exact(KEY))
    group_name: Mapped[str] = mapped_column(exact(200), default="")
    created: Mapped[datetime] = mapped_column(UtcTime, default=now)

    __table_args__ = (
        PrimaryKeyConstraint("batch_id", name="pk_photo_batch", mssql_clustered=False),
        Index("ix_photo_batch_created", "created"),
    )


class SubmissionRow(Base):
    """A photo that was sent, so that it is counted before its first step.

    Attributes:
        run: id of the queue message; `pipelinelogs` has it once the first step begins.
        photo: SHA-256 of the photo's bytes or address; empty if it is not known.
        queue: on which it was put.
        message: what is sent again if it is lost; not read with the other columns.
    """

    __tablename__ = "submission"

    job: Mapped[uuid.UUID] = mapped_column(Uuid)
    batch_id: Mapped[str] = mapped_column(exact(KEY))
    id: Mapped[str] = mapped_column(exact(KEY))
    run: Mapped[str] = mapped_column(String(64))
    parameters: Mapped[str] = mapped_column(UnicodeText, default="null")
    photo: Mapped[str] = mapped_column(String(64), default="", server_default="")
    queue: Mapped[str] = mapped_column(String(63), default="", server_default="")
    message: Mapped[str] = mapped_column(UnicodeText, default="", server_default="", deferred=True)
    since: Mapped[datetime] = mapped_column(UtcTime, default=now)

    __table_args__ = (
        PrimaryKeyConstraint("job", name="pk_submission"),
        Index("ix_submission_batch", "batch_id"),
    )


class EarlierOutputRow(Base):
    """A job's outputs from before it was run again.

    Attributes:
        made: when the result was written that had them.
        from_step: where the rerun began.
        engines: providers that the rerun chose, as JSON.
    """

    __tablename__ = "earlier_output"

    job: Mapped[uuid.UUID] = mapped_column(Uuid)
    made: Mapped[datetime] = mapped_column(UtcTime)
    batch_id: Mapped[str] = mapped_column(exact(KEY))
    id: Mapped[str] = mapped_column(exact(KEY))
    job_output: Mapped[str] = mapped_column(UnicodeText)
    from_step: Mapped[str] = mapped_column(String(64))
    engines: Mapped[str] = mapped_column(UnicodeText)

    __table_args__ = (
        PrimaryKeyConstraint("job", "made", name="pk_earlier_output"),
        Index("ix_earlier_output_batch", "batch_id"),
    )


class Label(Base):
    """A tag, category or object of a photo, for search.

    Attributes:
        timestamp: that of the photo's result, so that one index leads to a label's newest photos.
    """

    __tablename__ = "photo_label"

    job: Mapped[uuid.UUID] = mapped_column(
        Uuid,
        ForeignKey("pipeline_output.job", name="fk_photo_label_job", ondelete="CASCADE"),
    )
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(exact(200))
    confidence: Mapped[float] = mapped_column(Float)
    timestamp: Mapped[datetime] = mapped_column(UtcTime)

    __table_args__ = (
        PrimaryKeyConstraint("job", "kind", "name", name="pk_photo_label"),
        Index("ix_photo_label_newest", "kind", "name", "timestamp", "job"),
        {"sqlite_with_rowid": False},
    )


class PhotoFact(Base):
    """A number or a text that an own step found, by which photos are filtered.

    Attributes:
        name: step and field, such as `blurriness.sharpness`.
        place: from 0 on; a list has several values.
        number, text: one of them; see `imaginem.ports.own_outputs.index.Fact`.
    """

    __tablename__ = "photo_fact"

    job: Mapped[uuid.UUID] = mapped_column(
        Uuid,
        ForeignKey("pipeline_output.job", name="fk_photo_fact_job", ondelete="CASCADE"),
    )
    name: Mapped[str] = mapped_column(exact(200))
    place: Mapped[int]
    number: Mapped[float | None] = mapped_column(Double)
    text: Mapped[str | None] = mapped_column(exact(200))

    __table_args__ = (
        PrimaryKeyConstraint("job", "name", "place", name="pk_photo_fact"),
        Index("ix_photo_fact_number", "name", "number", "job"),
        Index("ix_photo_fact_text", "name", "text", "job"),
        {"sqlite_with_rowid": False},
    )


class ReusableRow(Base):
    """What an output of a job's result was made of; the output itself is in the result alone.

    Attributes:
        made: a hash, as `imaginem.pipeline.reuse` makes it.
    """

    __tablename__ = "reusable_output"

    job: Mapped[uuid.UUID] = mapped_column(
        Uuid,
        ForeignKey("pipeline_output.job", name="fk_reusable_output_job", ondelete="CASCADE"),
    )
    step: Mapped[str] = mapped_column(String(64))
    made: Mapped[str] = mapped_column(String(64))

    __table_args__ = (
        PrimaryKeyConstraint("job", "step", name="pk_reusable_output"),
        Index("ix_reusable_output_made", "made"),
    )


class PhotoText(Base):
    """The searchable form of a photo that has words; a later result has a higher number.

    Migrations alone make its text index: the table `photo_text_index` (FTS5) on SQLite, kept by
    triggers, and on PostgreSQL a GIN index, with the table `photo_word`, kept by triggers, too.

    Attributes:
        tokens: see `imaginem.ports.text_search`; the text index has what is in here.
    """

    __tablename__ = "photo_text"

    number: Mapped[int] = mapped_column(_NUMBER, autoincrement=True)
    job: Mapped[uuid.UUID] = mapped_column(
        Uuid,
        ForeignKey("pipeline_output.job", name="fk_photo_text_job", ondelete="CASCADE"),
    )
    tokens: Mapped[str] = mapped_column(tokens_type())

    __table_args__ = (
        PrimaryKeyConstraint("number", name="pk_photo_text"),
        UniqueConstraint("job", name="uq_photo_text_job"),
        {"sqlite_autoincrement": True},
    )
