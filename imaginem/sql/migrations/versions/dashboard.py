"""What the dashboard needs: batches, what was sent, what people say of faces."""

import sqlalchemy as sa
from alembic import op

from imaginem.sql.types import UtcTime, exact

revision = "dashboard"
down_revision = "first_tables"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make tables, and fill them with what is known."""
    op.create_table(
        "photo_batch",
        sa.Column("batch_id", exact(512), nullable=False),
        sa.Column("group_name", exact(200), nullable=False),
        sa.Column("erased", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("created", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", name="pk_photo_batch", mssql_clustered=False),
    )
    op.create_index("ix_photo_batch_created", "photo_batch", ["created"])
    op.create_table(
        "submission",
        sa.Column("job", sa.Uuid(), nullable=False),
        sa.Column("batch_id", exact(512), nullable=False),
        sa.Column("id", exact(512), nullable=False),
        sa.Column("run", sa.String(64), nullable=False),
        sa.Column("parameters", sa.UnicodeText(), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("job", name="pk_submission"),
    )
    op.create_index("ix_submission_batch", "submission", ["batch_id"])
    op.create_table(
        "face_verdict",
        sa.Column("face_id", sa.Uuid(), nullable=False),
        sa.Column("other_face_id", sa.Uuid(), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("who", sa.Unicode(200), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("face_id", "other_face_id", name="pk_face_verdict"),
    )
    op.create_index("ix_face_verdict_other", "face_verdict", ["other_face_id"])
    op.add_column(
        "pipeline_output",
        sa.Column("problems", sa.Integer(), nullable=False, server_default=sa.text("0")),
    )
    op.create_index(
        "ix_pipeline_output_batch", "pipeline_output", ["batch_id", "problems", "faces"]
    )
    op.execute("UPDATE pipeline_output SET problems = 1 WHERE unfinished <> ''")
    op.execute("UPDATE pipeline_output SET full_text = lower(full_text)")
    op.execute(
        "INSERT INTO photo_batch (batch_id, group_name, created) "
        "SELECT batch_id, '', MIN(timestamp) FROM pipeline_output GROUP BY batch_id"
    )
