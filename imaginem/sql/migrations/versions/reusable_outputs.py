"""What outputs were made of, so that they can be reused for the same photo."""

import sqlalchemy as sa
from alembic import op

revision = "reusable_outputs"
down_revision = "ledger"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "reusable_output",
        sa.Column("job", sa.Uuid(), nullable=False),
        sa.Column("step", sa.String(64), nullable=False),
        sa.Column("made", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(
            ["job"], ["pipeline_output.job"], name="fk_reusable_output_job", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job", "step", name="pk_reusable_output"),
    )
    op.create_index("ix_reusable_output_made", "reusable_output", ["made"])
