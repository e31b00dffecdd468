"""Turns `SQL_CONNECTION_STRING` into an address that SQLAlchemy understands.

Besides SQLAlchemy's own addresses it may be what Azure's portal shows for Azure SQL, as ODBC
or as ADO.NET writes it: `Server=tcp:…,1433;Database=…`. Without a user in it, the app's
identity logs in with a token.
"""

import re
import struct
from collections.abc import Callable
from typing import Any

from sqlalchemy import URL, Engine, event, make_url
from sqlalchemy.exc import ArgumentError

from imaginem.errors import ConfigurationError

SCOPE = "https://database.windows.net/.default"
_TOKEN_ATTRIBUTE = 1256  # SQL_COPT_SS_ACCESS_TOKEN, of Microsoft's msodbcsql.h
_PART = re.compile(r"\s*([^=;]+?)\s*=\s*(\{(?:[^}]|\}\})*\}|[^;]*)\s*(?:;|$)")
# ADO.NET's names, and those that ODBC has no counterpart for.
_SAME = {
    "data source": "server",
    "address": "server",
    "initial catalog": "database",
    "user id": "uid",
    "user": "uid",
    "password": "pwd",
    "trust server certificate": "trustservercertificate",
}
_OWN_IDENTITY = {
    "active directory default",
    "active directory managed identity",
    "active directory msi",
    "activedirectorymsi",
}
_UNKNOWN_TO_ODBC = {
    "persist security info",
    "multipleactiveresultsets",
    "connection timeout",
    "connect timeout",
    "pooling",
}
_WHO = re.compile(r"(?i)\b(Trusted_Connection|UID|PWD|Authentication)=[^;]*;?")
_OPEN = re.compile(r"(?i)\bEncrypt=(no|optional|false)\b")
_HINT = (
    "leave it empty for SQLite, or give an address such as postgresql+psycopg://user@host/db or "
    "Server=tcp:<name>.database.windows.net,1433;Database=<name>"
)


def is_mssql(address: str) -> bool:
    """Tell whether an address leads to SQL Server or Azure SQL."""
    return address.startswith("mssql") or "://" not in address


def sqlalchemy_url(address: str) -> URL:
    """Return the address.

    Raises:
        ConfigurationError: it can't be understood.
    """
    if "://" in address:
        try:
            return make_url(address)
        except ArgumentError:
            raise ConfigurationError(
                f"SQL_CONNECTION_STRING can't be understood: {_HINT}"
            ) from None
    return URL.create("mssql+pyodbc", query={"odbc_connect": odbc_string(address)})


def odbc_parts(address: str) -> dict[str, str]:
    """Return the parts of a connection string by ODBC's names, in small letters."""
    parts: dict[str, str] = {}
    for name, value in _PART.findall(address):
        small = " ".join(name.lower().split())
        small = _SAME.get(small, small)
        if small not in _UNKNOWN_TO_ODBC:
            parts[small] = {"true": "yes", "false": "no"}.get(value.lower(), value)
    # ADO.NET's words for "whoever runs this": a token does that here.
    if parts.get("authentication", "").strip("\"'").lower() in _OWN_IDENTITY:
        del parts["authentication"]
    return parts


def odbc_string(address: str) -> str:
    """Return an ODBC connection string that names a driver and asks for encryption.

    Raises:
        ConfigurationError: server or database is missing.
    """
    parts = odbc_parts(address)
    missing = [name for name in ("server", "database") if not parts.get(name)]
    if missing:
        raise ConfigurationError(
            f"SQL_CONNECTION_STRING names no {' and no '.join(missing)}: {_HINT}"
        )
    if "driver" not in parts:
        parts["driver"] = f"{{{_newest_driver()}}}"
    parts.setdefault("encrypt", "yes")
    return ";".join(f"{name}={value}" for name, value in parts.items())


def wants_token(url: URL) -> bool:
    """Tell whether nobody is named who logs in, so that the app's identity does."""
    if url.get_backend_name() != "mssql":
        return False
    raw = url.query.get("odbc_connect", "")
    parts = odbc_parts(raw if isinstance(raw, str) else raw[0])
    names = {*parts, *(name.lower() for name in url.query)}
    return not (url.username or names & {"uid", "pwd", "authentication", "trusted_connection"})


def _newest_driver() -> str:
    """Return the newest of Microsoft's ODBC drivers on this machine.

    Raises:
        ConfigurationError: there is none.
    """
    import pyodbc

    drivers: list[str] = [
        name for name in pyodbc.drivers() if re.fullmatch(r"ODBC Driver \d+ .*", name)
    ]
    if not drivers:
        raise ConfigurationError(
            "Azure SQL needs Microsoft's ODBC Driver 18 for SQL Server, which is not installed: "
            "install the package msodbcsql18"
        )
    return max(drivers, key=lambda name: int("".join(re.findall(r"\d+", name)[:1])))


def log_in_with(engine: Engine, get_token: Callable[[], str]) -> None:
    """Let every new connection log in with a token; pooled ones keep theirs until recycled."""

    @event.listens_for(engine, "do_connect")
    def _add_token(dialect: Any, record: Any, args: list[Any], options: dict[str, Any]) -> None:
        if _OPEN.search(args[0]):
            raise ConfigurationError(
                "SQL_CONNECTION_STRING turns encryption off, over which no identity's token is "
                "sent: remove Encrypt"
            )
        args[0] = _WHO.sub("", args[0])  # SQLAlchemy adds a login where an address has none
        options["attrs_before"] = {_TOKEN_ATTRIBUTE: packed(get_token())}


def packed(token: str) -> bytes:
    """Return a token as the driver takes it: its length in bytes, then UTF-16."""
    raw = token.encode("utf-16-le")
    return struct.pack(f"<I{len(raw)}s", len(raw), raw)
