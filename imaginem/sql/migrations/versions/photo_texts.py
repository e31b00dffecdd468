"""The searchable form of photos' texts, made anew for the results that are there."""

from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from imaginem.ports.text_search import tokens_of
from imaginem.sql.text_types import as_column, tokens_type

revision = "photo_texts"
down_revision = "runs_of_faces"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_PORTION = 500
_RESULTS = sa.table(
    "pipeline_output",
    sa.column("job", sa.Uuid()),
    sa.column("batch_id", sa.UnicodeText()),
    sa.column("full_text", sa.UnicodeText()),
    sa.column("timestamp"),
)
_LABELS = sa.table(
    "photo_label",
    sa.column("job", sa.Uuid()),
    sa.column("kind", sa.UnicodeText()),
    sa.column("name", sa.UnicodeText()),
)
_TEXTS = sa.table("photo_text", sa.column("job", sa.Uuid()), sa.column("tokens", tokens_type()))
_FTS5 = (
    # Tokens come one by one from `photo_text`: there is nothing to fold, and no place to keep.
    "CREATE VIRTUAL TABLE photo_text_index USING fts5(tokens, content='photo_text', "
    "content_rowid='number', detail=none, columnsize=0, prefix='2 3', "
    "tokenize=\"ascii tokenchars '=~#|'\")",
    "CREATE VIRTUAL TABLE photo_text_words USING fts5vocab(photo_text_index, row)",
    "CREATE TRIGGER photo_text_added AFTER INSERT ON photo_text BEGIN "
    "INSERT INTO photo_text_index (rowid, tokens) VALUES (new.number, new.tokens); END",
    "CREATE TRIGGER photo_text_removed AFTER DELETE ON photo_text BEGIN "
    "INSERT INTO photo_text_index (photo_text_index, rowid, tokens) "
    "VALUES ('delete', old.number, old.tokens); END",
)


def upgrade() -> None:
    """Make the table and its index, and fill them."""
    op.create_table(
        "photo_text",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("job", sa.Uuid(), nullable=False),
        sa.Column("tokens", tokens_type(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_photo_text"),
        sa.UniqueConstraint("job", name="uq_photo_text_job"),
        sa.ForeignKeyConstraint(
            ["job"], ["pipeline_output.job"], name="fk_photo_text_job", ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
    )
    server = op.get_context().dialect.name
    if server == "sqlite":
        for statement in _FTS5:
            op.execute(statement)
    if not context.is_offline_mode():
        _fill(op.get_bind())
    if server == "postgresql":
        op.create_index("ix_photo_text_tokens", "photo_text", ["tokens"], postgresql_using="gin")


def _fill(connection: sa.Connection) -> None:
    """Make the searchable form of each result, the oldest first."""
    jobs = connection.scalars(
        sa.select(_RESULTS.c.job)
        .where(_RESULTS.c.full_text != "")
        .order_by(_RESULTS.c.timestamp, _RESULTS.c.job)
    ).all()
    for start in range(0, len(jobs), _PORTION):
        portion = jobs[start : start + _PORTION]
        labels: dict[Any, list[tuple[str, str]]] = defaultdict(list)
        named = sa.select(_LABELS).where(_LABELS.c.job.in_(portion))
        for job, kind, name in connection.execute(named):
            labels[job].append((kind, name))
        found = sa.select(_RESULTS.c.job, _RESULTS.c.batch_id, _RESULTS.c.full_text)
        rows = {
            row.job: row for row in connection.execute(found.where(_RESULTS.c.job.in_(portion)))
        }
        made = [
            {"job": job, "tokens": as_column(tokens)}
            for job in portion
            if (tokens := tokens_of(rows[job].full_text, labels[job], rows[job].batch_id))
        ]
        if made:
            connection.execute(sa.insert(_TEXTS), made)
