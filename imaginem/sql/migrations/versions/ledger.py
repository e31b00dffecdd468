"""`ledger_sum` and `ledger_job`: what work takes of services, storage and time."""

import sqlalchemy as sa
from alembic import op

from imaginem.sql.types import exact

revision = "ledger"
down_revision = "photo_facts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "ledger_sum",
        sa.Column("number", sa.Uuid(), nullable=False),
        sa.Column("batch_id", exact(512), nullable=False),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("setup", exact(300), nullable=False),
        sa.Column("step", exact(100), nullable=False),
        sa.Column("service", exact(100), nullable=False),
        sa.Column("operation", exact(100), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("billed", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("tokens_in", sa.BigInteger(), nullable=False),
        sa.Column("tokens_out", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_ledger_sum"),
    )
    op.create_index("ix_ledger_sum_batch", "ledger_sum", ["batch_id"])
    op.create_table(
        "ledger_job",
        sa.Column("number", sa.Uuid(), nullable=False),
        sa.Column("job", sa.Uuid(), nullable=False),
        sa.Column("batch_id", exact(512), nullable=False),
        sa.Column("id", exact(512), nullable=False),
        sa.Column("amounts", sa.UnicodeText(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_ledger_job"),
    )
    op.create_index("ix_ledger_job_job", "ledger_job", ["job"])
    op.create_index("ix_ledger_job_batch", "ledger_job", ["batch_id"])
