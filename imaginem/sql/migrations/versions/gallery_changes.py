"""What changed in the gallery lately, for those who keep a copy of its embeddings."""

import sqlalchemy as sa
from alembic import op

revision = "gallery_changes"
down_revision = "erased_batches"
branch_labels = None
depends_on = None

_RANDOM = {
    "sqlite": "lower(hex(randomblob(16)))",
    "postgresql": "gen_random_uuid()",
    "mssql": "newid()",
}


def upgrade() -> None:
    """Make the tables; the gallery begins with version 1, and a stamp that no other one has."""
    op.create_table(
        "gallery_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("stamp", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_gallery_state"),
    )
    op.create_table(
        "gallery_change",
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stamp", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("version", "number", name="pk_gallery_change"),
    )
    stamp = _RANDOM[op.get_context().dialect.name]
    op.execute(f"INSERT INTO gallery_state (id, version, stamp) VALUES (1, 1, {stamp})")  # noqa: S608
    op.execute(
        "INSERT INTO gallery_change (version, number, stamp) "
        "SELECT version, 0, stamp FROM gallery_state"
    )
