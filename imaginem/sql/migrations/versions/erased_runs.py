"""Which runs were erased, so that no step that is still at work writes for them."""

import sqlalchemy as sa
from alembic import op

from imaginem.sql.types import UtcTime

revision = "erased_runs"
down_revision = "runs_of_results"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "erased_run",
        sa.Column("mark", sa.String(64), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("mark", name="pk_erased_run"),
    )
