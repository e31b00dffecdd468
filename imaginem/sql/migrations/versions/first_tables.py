"""The first tables."""

import sqlalchemy as sa
from alembic import op

from imaginem.sql.types import UtcTime, exact, vector

revision = "first_tables"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _results()
    _faces()
    _service_faces()


def _results() -> None:
    op.create_table(
        "pipeline_output",
        sa.Column("batch_id", exact(512), nullable=False),
        sa.Column("id", exact(512), nullable=False),
        sa.Column("job", sa.Uuid(), nullable=False),
        sa.Column("processing_pipeline", sa.UnicodeText(), nullable=False),
        sa.Column("image_url", sa.UnicodeText(), nullable=False),
        sa.Column("image_parameters", sa.UnicodeText(), nullable=False),
        sa.Column("photo_url", sa.UnicodeText(), nullable=False),
        sa.Column("job_output", sa.UnicodeText(), nullable=False),
        sa.Column("unfinished", sa.UnicodeText(), nullable=False),
        sa.Column("full_text", sa.UnicodeText(), nullable=False),
        sa.Column("faces", sa.Integer(), nullable=False),
        sa.Column("timestamp", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "id", name="pk_pipeline_output", mssql_clustered=False),
        sa.UniqueConstraint("job", name="uq_pipeline_output_job"),
    )
    op.create_index("ix_pipeline_output_timestamp", "pipeline_output", ["timestamp"])
    op.create_table(
        "photo_label",
        sa.Column("job", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", exact(200), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("job", "kind", "name", name="pk_photo_label"),
        sa.ForeignKeyConstraint(
            ["job"], ["pipeline_output.job"], name="fk_photo_label_job", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_photo_label_kind_name", "photo_label", ["kind", "name"])


def _faces() -> None:
    op.create_table(
        "face",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("face_id", sa.Uuid(), nullable=False),
        sa.Column("job", sa.Uuid(), nullable=False),
        sa.Column("batch_id", exact(512), nullable=False),
        sa.Column("job_id", exact(512), nullable=False),
        sa.Column("photo_sha256", sa.String(64), nullable=False),
        sa.Column("left", sa.Integer(), nullable=False),
        sa.Column("top", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("embedding", vector(512), nullable=True),
        sa.Column("quality", sa.Float(), nullable=False),
        sa.Column("enrolled", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_face"),
        sa.UniqueConstraint("face_id", name="uq_face_face_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_face_job", "face", ["job"])
    op.create_index("ix_face_model", "face", ["model", "number"])
    op.create_table(
        "face_match",
        sa.Column("face_id", sa.Uuid(), nullable=False),
        sa.Column("matched_face_id", sa.Uuid(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("band", sa.String(16), nullable=False),
        sa.Column("found", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("face_id", "matched_face_id", name="pk_face_match"),
    )
    op.create_index("ix_face_match_matched", "face_match", ["matched_face_id"])


def _service_faces() -> None:
    op.create_table(
        "service_face",
        sa.Column("face_id", sa.Uuid(), nullable=False),
        sa.Column("service_face_id", sa.String(64), nullable=False),
        sa.Column("lapses", UtcTime(), nullable=True),
        sa.Column("list_id", sa.String(64), nullable=False),
        sa.Column("persisted_face_id", sa.String(64), nullable=False),
        sa.Column("training", sa.String(36), nullable=False),
        sa.Column("trained", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("face_id", name="pk_service_face"),
    )
    op.create_index("ix_service_face_persisted", "service_face", ["list_id", "persisted_face_id"])
    op.create_index("ix_service_face_trained", "service_face", ["trained", "lapses"])
    op.create_table(
        "face_list",
        sa.Column("list_id", sa.String(64), nullable=False),
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("full", sa.Boolean(), nullable=False),
        sa.Column("changed", sa.Boolean(), nullable=False),
        sa.Column("training", sa.String(36), nullable=False),
        sa.Column("training_began", UtcTime(), nullable=True),
        sa.Column("searchable", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", name="pk_face_list"),
    )
    op.create_table(
        "face_addition",
        sa.Column("addition", sa.Uuid(), nullable=False),
        sa.Column("face_id", sa.Uuid(), nullable=False),
        sa.Column("list_id", sa.String(64), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("addition", name="pk_face_addition"),
    )
    op.create_index("ix_face_addition_list", "face_addition", ["list_id", "since"])
    op.create_table(
        "face_removal",
        sa.Column("list_id", sa.String(64), nullable=False),
        sa.Column("persisted_face_id", sa.String(64), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", "persisted_face_id", name="pk_face_removal"),
    )
