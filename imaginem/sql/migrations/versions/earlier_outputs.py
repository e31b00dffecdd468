"""What jobs had found before they were run again."""

import sqlalchemy as sa
from alembic import op

from imaginem.sql.types import UtcTime, exact

revision = "earlier_outputs"
down_revision = "sent_messages"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "earlier_output",
        sa.Column("job", sa.Uuid(), nullable=False),
        sa.Column("made", UtcTime(), nullable=False),
        sa.Column("batch_id", exact(512), nullable=False),
        sa.Column("id", exact(512), nullable=False),
        sa.Column("job_output", sa.UnicodeText(), nullable=False),
        sa.Column("from_step", sa.String(64), nullable=False),
        sa.Column("engines", sa.UnicodeText(), nullable=False),
        sa.PrimaryKeyConstraint("job", "made", name="pk_earlier_output"),
    )
    op.create_index("ix_earlier_output_batch", "earlier_output", ["batch_id"])
