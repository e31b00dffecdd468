"""Alembic's entry; `imaginem.sql.migrate` calls it with a connection or a dialect's name."""

from typing import Any

from alembic import context

from imaginem.sql.schema import Base

_OPTIONS: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "transaction_per_migration": False,
}
_attributes = context.config.attributes

if context.is_offline_mode():
    # Without a server to ask its version, the dialect would write NTEXT and IMAGE.
    large = {"deprecate_large_types": True} if _attributes["dialect"] == "mssql" else {}
    context.configure(
        dialect_name=_attributes["dialect"],
        dialect_opts={"paramstyle": "named", **large},
        literal_binds=True,
        **_OPTIONS,
    )
else:
    context.configure(connection=_attributes["connection"], **_OPTIONS)

with context.begin_transaction():
    context.run_migrations()
