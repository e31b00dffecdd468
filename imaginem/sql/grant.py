"""Gives the app's identity its rights in Azure SQL; run by whoever administers the database."""

import re
import uuid

from sqlalchemy import Engine

from imaginem.errors import ConfigurationError

# Microsoft, "Naming rules for Azure resources": user-assigned identities; apps' names are shorter.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,127}")


def grant_script(name: str, client_id: uuid.UUID) -> str:
    """Return T-SQL that makes an identity's user, with the right to read and write rows.

    The user is made from the identity's number, so that the server need not ask the
    directory. An identity that was made anew under its old name replaces the old user.

    Args:
        name: of the managed identity.
        client_id: of the managed identity.

    Raises:
        ConfigurationError: the name is no identity's.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{name!r} is no name of a managed identity")
    number = f"0x{client_id.bytes_le.hex().upper()}"
    # Names can't be parameters of these statements; this one holds nothing to quote.
    return "\n".join(
        [
            "IF EXISTS (SELECT 1 FROM sys.database_principals "  # noqa: S608
            f"WHERE name = N'{name}' AND sid <> {number}) EXEC (N'DROP USER [{name}]');",
            f"IF DATABASE_PRINCIPAL_ID(N'{name}') IS NULL "
            f"EXEC (N'CREATE USER [{name}] WITH SID = {number}, TYPE = E');",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON SCHEMA::dbo TO [{name}];",
        ]
    )


def grant(engine: Engine, name: str, client_id: uuid.UUID) -> None:
    """Make an identity's user and give it its rights; again changes nothing.

    Raises:
        ConfigurationError: the database is no Azure SQL.
    """
    if engine.dialect.name != "mssql":
        raise ConfigurationError(
            f"identities log in to Azure SQL only, and this is {engine.dialect.name}: give the "
            "app's user its rights there with that server's own means"
        )
    with engine.begin() as connection:
        for statement in grant_script(name, client_id).splitlines():
            connection.exec_driver_sql(statement)
