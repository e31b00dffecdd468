"""Write a row whether it exists or not, on every server, also when two transactions do so."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from imaginem.sql.schema import Base


def upsert(
    session: Session,
    table: type[Base],
    key: Mapping[str, Any],
    values: Mapping[str, Any],
    **once: Any,
) -> None:
    """Change the row of this key, or add it.

    Args:
        session: in whose transaction.
        table: of the row.
        key: columns that name the row.
        values: columns to set.
        once: columns that are set only when the row is added.
    """
    change = update(table).where(*(getattr(table, name) == key[name] for name in key))
    if _changed(session, change, values):
        return
    try:
        with session.begin_nested():
            session.execute(insert(table).values(**key, **values, **once))
    except IntegrityError:  # another transaction has inserted it meanwhile
        _changed(session, change, values)


def _changed(session: Session, change: Any, values: Mapping[str, Any]) -> bool:
    result: Any = session.execute(change.values(**values))
    return bool(result.rowcount)
