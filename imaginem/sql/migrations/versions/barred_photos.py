"""Photos that were erased for good, and may not come back."""

import sqlalchemy as sa
from alembic import op

from imaginem.sql.types import UtcTime, exact

revision = "barred_photos"
down_revision = "erased_runs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "barred_photo",
        sa.Column("mark", sa.String(64), nullable=False),
        sa.Column("group_name", exact(200), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("who", sa.Unicode(200), nullable=False),
        sa.PrimaryKeyConstraint("mark", name="pk_barred_photo"),
    )
    op.create_index("ix_barred_photo_group", "barred_photo", ["group_name"])
