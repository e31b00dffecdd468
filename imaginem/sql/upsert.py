"""Write a row whether it exists or not, on every server, also when two transactions do so."""

import enum
from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from imaginem.sql.schema import Base


class Written(enum.Enum):
    """What became of a row that was to be written."""

    CHANGED = enum.auto()
    ADDED = enum.auto()
    LEFT = enum.auto()


def upsert(
    session: Session,
    table: type[Base],
    key: Mapping[str, Any],
    values: Mapping[str, Any],
    *only_if: ColumnElement[bool],
    **once: Any,
) -> Written:
    """Change the row of this key, or add it; leave one that must stay.

    Args:
        session: in whose transaction.
        table: of the row.
        key: columns that name the row.
        values: columns to set.
        only_if: what must hold of a row that is changed.
        once: columns that are set only when the row is added.
    """
    named = (getattr(table, name) == key[name] for name in key)
    change = update(table).where(*named, *only_if)
    if _changed(session, change, values):
        return Written.CHANGED
    try:
        with session.begin_nested():
            session.execute(insert(table).values(**key, **values, **once))
    except IntegrityError:  # it must stay, or another transaction has inserted it meanwhile
        return Written.CHANGED if _changed(session, change, values) else Written.LEFT
    return Written.ADDED


def _changed(session: Session, change: Any, values: Mapping[str, Any]) -> bool:
    result: Any = session.execute(change.values(**values))
    return bool(result.rowcount)
