"""Column types that mean the same on SQLite, PostgreSQL and Azure SQL."""

import array
import hashlib
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import (
    DateTime,
    Double,
    LargeBinary,
    Unicode,
    cast,
    func,
    literal_column,
    type_coerce,
)
from sqlalchemy.dialects import mssql, postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.elements import BindParameter, ColumnElement
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

T = TypeVar("T")
# Azure SQL's usual collation treats A, and some accented letters, as a; a binary one does not.
_BINARY = "Latin1_General_100_BIN2"


def exact(length: int) -> TypeEngine[str]:
    """Return a type for text that is compared and sorted by code point on every server."""
    return (
        Unicode(length)
        .with_variant(mssql.NVARCHAR(length, collation=_BINARY), "mssql")
        .with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")
    )


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite keeps no zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Write UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Read UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Vector(UserDefinedType[bytes]):
    """`VECTOR(n)` of Azure SQL: float32 as bytes here, a JSON array on the wire."""

    cache_ok = True

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions

    def get_col_spec(self, **_: object) -> str:
        """Return the type's name in SQL."""
        return f"VECTOR({self.dimensions})"

    def bind_expression(self, bindvalue: BindParameter[bytes]) -> ColumnElement[bytes]:
        """Let the server read the array; drivers have no type for vectors."""
        return cast(bindvalue, self)

    def column_expression(self, column: ColumnElement[bytes]) -> ColumnElement[bytes]:
        """Ask for the array as text."""
        return type_coerce(cast(column, mssql.NVARCHAR(None)), self)

    def get_dbapi_type(self, dbapi: Any) -> Any:
        """Send text of any length; the driver's usual text ends at 4,000 characters."""
        return (dbapi.SQL_WVARCHAR, 0, 0)

    def bind_processor(self, dialect: Dialect) -> Callable[[bytes | None], str | None]:
        """Write bytes as an array."""

        def write(value: bytes | None) -> str | None:
            if value is None:
                return None
            return as_text(value)

        return write

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[[str | None], bytes | None]:
        """Read an array as bytes."""

        def read(value: str | None) -> bytes | None:
            return None if value is None else array.array("f", json.loads(value)).tobytes()

        return read


def as_text(embedding: bytes) -> str:
    """Return float32 as the array that servers read as a vector."""
    return json.dumps(array.array("f", embedding).tolist(), separators=(",", ":"))


def vector(dimensions: int) -> TypeEngine[bytes]:
    """Return a type for vectors: `VECTOR` on Azure SQL, bytes elsewhere."""
    return LargeBinary().with_variant(Vector(dimensions), "mssql")


def cosine_distance(column: Any, value: Any) -> ColumnElement[float]:
    """Return Azure SQL's cosine distance of two vectors: 0 (same direction) to 2."""
    return func.vector_distance(literal_column("'cosine'"), column, value, type_=Double())


def job_number(batch_id: str, job_id: str) -> uuid.UUID:
    """Return the number that indexes have for a job: 16 bytes, however long its ids are."""
    ids = json.dumps([batch_id, job_id]).encode("ascii")  # an unpaired surrogate is escaped
    return uuid.UUID(bytes=hashlib.sha256(ids).digest()[:16])


_PORTION = 500  # values in one statement; SQL Server takes 2,100 parameters


def portions(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut values into portions that fit one statement."""
    return (values[start : start + _PORTION] for start in range(0, len(values), _PORTION))
