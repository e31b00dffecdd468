"""The time of its photo beside each label, so that the newest photos of a label are read first.

On SQLite, also a list of tokens that can be left before all photos of a token are read.
"""

import sqlalchemy as sa
from alembic import op

from imaginem.sql.types import UtcTime, exact

revision = "labels_in_time"
down_revision = "photo_texts"
branch_labels = None
depends_on = None

_INDEX_BEFORE = "ix_photo_label_kind_name"


def upgrade() -> None:
    """Add the time of each label's photo, and an index in this order."""
    if op.get_context().dialect.name == "sqlite":
        _write_anew()
        op.execute("DROP TABLE photo_text_words")
        op.execute(
            "CREATE VIRTUAL TABLE photo_text_words USING fts5vocab(photo_text_index, instance)"
        )
    else:
        _add_column()
    op.create_index("ix_photo_label_newest", "photo_label", ["kind", "name", "timestamp", "job"])


def _write_anew() -> None:
    """Copy SQLite's table by its key: a column that must have values can't be added to it."""
    op.drop_index(_INDEX_BEFORE, "photo_label")
    op.rename_table("photo_label", "photo_label_before")
    op.create_table(
        "photo_label",
        sa.Column("job", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", exact(200), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("timestamp", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("job", "kind", "name", name="pk_photo_label"),
        sa.ForeignKeyConstraint(
            ["job"], ["pipeline_output.job"], name="fk_photo_label_job", ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO photo_label (job, kind, name, confidence, timestamp) "
        "SELECT b.job, b.kind, b.name, b.confidence, p.timestamp "
        "FROM photo_label_before AS b JOIN pipeline_output AS p ON p.job = b.job "
        "ORDER BY b.job, b.kind, b.name"
    )
    op.drop_table("photo_label_before")


def _add_column() -> None:
    op.add_column("photo_label", sa.Column("timestamp", UtcTime(), nullable=True))
    op.execute(
        "UPDATE photo_label SET timestamp = (SELECT p.timestamp FROM pipeline_output p "
        "WHERE p.job = photo_label.job)"
    )
    op.alter_column("photo_label", "timestamp", existing_type=UtcTime(), nullable=False)
    op.drop_index(_INDEX_BEFORE, "photo_label")
