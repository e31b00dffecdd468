"""Whose the ids of erased batches stay, without the ids."""

import sqlalchemy as sa
from alembic import op

from imaginem.sql.types import exact

revision = "erased_batches"
down_revision = "suppressed_faces"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move erased batches to a table of their own; their ids stay until they are opened again."""
    op.create_table(
        "erased_batch",
        sa.Column("mark", exact(512), nullable=False),
        sa.Column("group_name", exact(200), nullable=False),
        sa.PrimaryKeyConstraint("mark", name="pk_erased_batch", mssql_clustered=False),
    )
    batches = sa.table(
        "photo_batch", sa.column("batch_id"), sa.column("group_name"), sa.column("erased")
    )
    moved = sa.table("erased_batch", sa.column("mark"), sa.column("group_name"))
    erased = batches.c.erased == sa.true()
    rows = sa.select(batches.c.batch_id, batches.c.group_name).where(erased)
    op.execute(moved.insert().from_select(["mark", "group_name"], rows))
    op.execute(batches.delete().where(erased))
    op.drop_column("photo_batch", "erased", mssql_drop_default=True)
