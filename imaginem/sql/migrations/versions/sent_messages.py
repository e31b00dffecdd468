"""The message of each submission, so that it can be sent again when it is lost."""

import sqlalchemy as sa
from alembic import op

revision = "sent_messages"
down_revision = "submitted_photos"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns; what was sent before stays without them."""
    op.add_column(
        "submission", sa.Column("queue", sa.String(63), nullable=False, server_default="")
    )
    op.add_column(
        "submission", sa.Column("message", sa.UnicodeText(), nullable=False, server_default="")
    )
