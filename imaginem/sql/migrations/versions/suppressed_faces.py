"""Faces that were erased from photos that stay."""

import sqlalchemy as sa
from alembic import op

from imaginem.sql.types import UtcTime, exact

revision = "suppressed_faces"
down_revision = "barred_photos"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "suppressed_face",
        sa.Column("face", sa.String(64), nullable=False),
        sa.Column("group_name", exact(200), nullable=False),
        sa.Column("photo", sa.String(64), nullable=False),
        sa.Column("left", sa.Integer(), nullable=False),
        sa.Column("top", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.Column("face_id", sa.Uuid(), nullable=True),
        sa.Column("batch_id", exact(512), nullable=False),
        sa.Column("job_id", exact(512), nullable=False),
        sa.PrimaryKeyConstraint("face", name="pk_suppressed_face"),
    )
    op.create_index("ix_suppressed_face_photo", "suppressed_face", ["group_name", "photo"])
