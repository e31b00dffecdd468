"""The column type of a photo's tokens: text with spaces between, on PostgreSQL a `tsvector`."""

from typing import Any

from sqlalchemy import UnicodeText, func
from sqlalchemy.dialects import mssql
from sqlalchemy.sql.elements import BindParameter, ColumnElement
from sqlalchemy.types import TypeEngine, UserDefinedType

_BINARY = "Latin1_General_100_BIN2"


class Lexemes(UserDefinedType[str]):
    """`tsvector` without positions; in Python a text with a space before and after each token."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the type's name in SQL."""
        return "TSVECTOR"

    def bind_expression(self, bindvalue: BindParameter[str]) -> ColumnElement[str]:
        """Let the server cut the text at its spaces, and at nothing else."""
        return func.array_to_tsvector(func.string_to_array(func.btrim(bindvalue), " "))

    def column_expression(self, column: ColumnElement[str]) -> ColumnElement[str]:
        """Ask for the tokens as text."""
        joined: Any = func.array_to_string(func.tsvector_to_array(column, type_=None), " ")
        return func.concat(" ", joined, " ", type_=self)


def tokens_type() -> TypeEngine[str]:
    """Return a type for tokens; see `as_column`."""
    return (
        UnicodeText()
        .with_variant(mssql.NVARCHAR(None, collation=_BINARY), "mssql")
        .with_variant(Lexemes(), "postgresql")
    )


def as_column(tokens: list[str]) -> str:
    """Return tokens as the column holds them, so that `LIKE '% token %'` finds one."""
    return f" {' '.join(tokens)} "
