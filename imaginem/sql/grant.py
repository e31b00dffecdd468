"""Gives the app's identity its rights in Azure SQL; run by whoever administers the database."""

import re
import uuid

from sqlalchemy import Engine

from imaginem.errors import ConfigurationError

# Microsoft, "Naming rules for Azure resources": user-assigned identities; apps' names are shorter.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,127}")


def grant_script(name: str, client_id: uuid.UUID) -> str:
    """Return T-SQL that makes an identity's user, with the right to read and write rows.

    The user is made from the identity's client id, so that the server need not ask the
    directory. The user of an earlier identity with the same name is replaced.

    Args:
        name: of the managed identity.
        client_id: of the managed identity.

    Raises:
        ConfigurationError: no identity can have this name.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{name!r} is no name of a managed identity")
    sid = f"0x{client_id.bytes_le.hex().upper()}"
    # Names can't be parameters of these statements; this one holds nothing to quote.
    return "\n".join(
        [
            "IF EXISTS (SELECT 1 FROM sys.database_principals "  # noqa: S608
            f"WHERE name = N'{name}' AND sid <> {sid}) EXEC (N'DROP USER [{name}]');",
            f"IF DATABASE_PRINCIPAL_ID(N'{name}') IS NULL "
            f"EXEC (N'CREATE USER [{name}] WITH SID = {sid}, TYPE = E');",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON SCHEMA::dbo TO [{name}];",
        ]
    )


def grant(engine: Engine, name: str, client_id: uuid.UUID) -> None:
    """Make an identity's user and give it its rights; a second call changes nothing.

    Raises:
        ConfigurationError: the database is not Azure SQL.
    """
    if engine.dialect.name != "mssql":
        raise ConfigurationError(
            f"identities log in to Azure SQL only, and this is {engine.dialect.name}: grant the "
            "app's user its rights with that server's own tools"
        )
    with engine.begin() as connection:
        for statement in grant_script(name, client_id).splitlines():
            connection.exec_driver_sql(statement)
