"""Which run of its job enrolled each face last, so that an erasure takes no later one away."""

import sqlalchemy as sa
from alembic import op

from imaginem.sql.types import exact

revision = "runs_of_faces"
down_revision = "gallery_changes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the run; it is not known of faces that were enrolled before."""
    op.add_column("face", sa.Column("run", exact(64), nullable=False, server_default=""))
