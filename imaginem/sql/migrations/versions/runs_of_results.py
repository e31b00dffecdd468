"""Which run of its job each result is of, so that no late copy of an earlier one replaces it."""

import sqlalchemy as sa
from alembic import op

from imaginem.sql.types import exact

revision = "runs_of_results"
down_revision = "earlier_outputs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the run; it is not known of results that were written before."""
    op.add_column("pipeline_output", sa.Column("run", exact(64), nullable=False, server_default=""))
