"""Which photo was sent as a job, so that another one does not take its id."""

import sqlalchemy as sa
from alembic import op

revision = "submitted_photos"
down_revision = "dashboard"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the hash of the photo; it is not known of photos that were sent before."""
    op.add_column(
        "submission", sa.Column("photo", sa.String(64), nullable=False, server_default="")
    )
