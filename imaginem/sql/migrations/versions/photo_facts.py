"""Numbers and texts that own steps found, by which photos are filtered."""

import sqlalchemy as sa
from alembic import op

from imaginem.sql.types import exact

revision = "photo_facts"
down_revision = "labels_in_time"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; what earlier jobs found comes into it when they are run again."""
    op.create_table(
        "photo_fact",
        sa.Column("job", sa.Uuid(), nullable=False),
        sa.Column("name", exact(200), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("number", sa.Double(), nullable=True),
        sa.Column("text", exact(200), nullable=True),
        sa.PrimaryKeyConstraint("job", "name", "place", name="pk_photo_fact"),
        sa.ForeignKeyConstraint(
            ["job"], ["pipeline_output.job"], name="fk_photo_fact_job", ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_photo_fact_number", "photo_fact", ["name", "number", "job"])
    op.create_index("ix_photo_fact_text", "photo_fact", ["name", "text", "job"])
