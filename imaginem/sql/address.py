"""Turns `SQL_CONNECTION_STRING` into an address that SQLAlchemy understands.

Besides SQLAlchemy's own addresses it may be what Azure's portal shows for Azure SQL, as ODBC
or as ADO.NET writes it: `Server=tcp:…,1433;Database=…`. Without a user in it, the app's
identity logs in with a token.
"""

import re
import struct
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import URL, Engine, event, make_url
from sqlalchemy.exc import ArgumentError

from imaginem.errors import ConfigurationError
from imaginem.redaction import one_line

SCOPE = "https://database.windows.net/.default"
_TOKEN_ATTRIBUTE = 1256  # SQL_COPT_SS_ACCESS_TOKEN, of Microsoft's msodbcsql.h
_PART = re.compile(r"\s*([^=;]+?)\s*=\s*(\{(?:[^}]|\}\})*\}|[^;]*)\s*(?:;|$)")
# ADO.NET's names of a connection string's parts, in small letters, and ODBC's.
_ODBC_NAME = {
    "data source": "server",
    "address": "server",
    "initial catalog": "database",
    "user id": "uid",
    "user": "uid",
    "password": "pwd",
    "trust server certificate": "trustservercertificate",
    "integrated security": "trusted_connection",
}
# Values of Authentication, without spaces, for which the app's identity logs in with a token.
_OWN_IDENTITY = {
    "activedirectorydefault",
    "activedirectorymanagedidentity",
    "activedirectorymsi",
    "activedirectoryworkloadidentity",
}
_AUTHENTICATION = {
    name.lower(): name
    for name in (
        "ActiveDirectoryIntegrated",
        "ActiveDirectoryInteractive",
        "ActiveDirectoryPassword",
        "ActiveDirectoryServicePrincipal",
        "SqlPassword",
    )
}
_ODBC_VALUE = {"true": "yes", "false": "no", "sspi": "yes"}
_LOGIN_PARTS = {"uid", "pwd", "authentication", "trusted_connection"}
_UNKNOWN_TO_ODBC = {
    "persist security info",
    "multipleactiveresultsets",
    "connection timeout",
    "connect timeout",
    "pooling",
}
_LOGIN = re.compile(r"(?i)\b(Trusted_Connection|UID|PWD|Authentication)=[^;]*;?")
_UNENCRYPTED = re.compile(r"(?i)\bEncrypt=(no|optional|false)\b")
_KEYWORD = re.compile(r"(?:Unknown|Reserved|Duplicate) keyword '([\w ]+)'")
_HINT = (
    "leave it empty for SQLite, or give an address such as postgresql+psycopg://user@host/db or "
    "Server=tcp:<name>.database.windows.net,1433;Database=<name>"
)


def is_mssql(address: str) -> bool:
    """Tell whether an address is one of SQL Server or Azure SQL."""
    return address.startswith("mssql") or "://" not in address


def sqlalchemy_url(address: str, driver: str = "pyodbc") -> URL:
    """Return the address.

    Args:
        address: of SQLAlchemy, ODBC or ADO.NET.
        driver: for Azure SQL, `pyodbc` or `mssql-python`, unless SQLAlchemy's address names one.

    Raises:
        ConfigurationError: it can't be understood.
    """
    if "://" in address:
        try:
            url = make_url(address)
        except (ArgumentError, ValueError):  # the latter of a port that is no number
            raise ConfigurationError(
                f"SQL_CONNECTION_STRING can't be understood: {_HINT}"
            ) from None
        named = url.drivername != "mssql" or driver == "pyodbc"
        return url if named else url.set(drivername="mssql+mssqlpython")
    if driver == "mssql-python":
        return _mssql_python_url(address)
    return URL.create("mssql+pyodbc", query={"odbc_connect": odbc_string(address)})


def _named_parts(address: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for name, value in _PART.findall(address):
        part = " ".join(name.lower().split())
        part = _ODBC_NAME.get(part, part)
        if part not in _UNKNOWN_TO_ODBC:
            parts[part] = _ODBC_VALUE.get(value.lower(), value)
    if "authentication" in parts:  # ADO.NET writes spaces between the words
        method = "".join(parts["authentication"].strip("\"'{}").split())
        parts["authentication"] = _AUTHENTICATION.get(method.lower(), method)
    return parts


def _names_identity(parts: Mapping[str, str]) -> bool:
    return parts.get("authentication", "").lower() in _OWN_IDENTITY


def odbc_parts(address: str) -> dict[str, str]:
    """Return the parts of a connection string by ODBC's names, in small letters."""
    parts = _named_parts(address)
    if _names_identity(parts):  # a user beside it is an identity's client id; see `identity_of`
        parts = {name: parts[name] for name in parts if name not in _LOGIN_PARTS}
    if parts.get("trusted_connection") == "no":
        del parts["trusted_connection"]
    return parts


def identity_of(address: str) -> str:
    """Return the client id of the identity that an address names; empty if it names none."""
    if "://" in address:
        raw = sqlalchemy_url(address).query.get("odbc_connect", "")
        address = raw if isinstance(raw, str) else raw[0]
    parts = _named_parts(address)
    return parts.get("uid", "").strip("\"'{}") if _names_identity(parts) else ""


def odbc_string(address: str) -> str:
    """Return an ODBC connection string that names a driver and asks for encryption.

    Raises:
        ConfigurationError: server or database is missing.
    """
    parts = _complete_parts(address)
    if "driver" not in parts:
        parts["driver"] = f"{{{_newest_driver()}}}"
    return ";".join(f"{name}={value}" for name, value in parts.items())


def _complete_parts(address: str) -> dict[str, str]:
    parts = odbc_parts(address)
    missing = [name for name in ("server", "database") if not parts.get(name)]
    if missing:
        raise ConfigurationError(
            f"SQL_CONNECTION_STRING names no {' and no '.join(missing)}: {_HINT}"
        )
    parts.setdefault("encrypt", "yes")
    return parts


def _mssql_python_url(address: str) -> URL:
    """Return the address for mssql-python, which brings its own ODBC driver.

    Raises:
        ConfigurationError: server or database is missing.
    """
    parts = {name: _unbraced(value) for name, value in _complete_parts(address).items()}
    parts.pop("driver", "")
    return URL.create(
        "mssql+mssqlpython",
        username=parts.pop("uid", None),
        password=parts.pop("pwd", None),
        host=parts.pop("server"),
        database=parts.pop("database"),
        query=parts,
    )


def _unbraced(value: str) -> str:
    """Return a value without the braces that ODBC writes around special characters."""
    if value.startswith("{") and value.endswith("}"):
        return value[1:-1].replace("}}", "}")
    return value


def wants_token(url: URL) -> bool:
    """Tell whether an Azure SQL address names no login: the app's identity logs in then."""
    if url.get_backend_name() != "mssql":
        return False
    raw = url.query.get("odbc_connect", "")
    parts = odbc_parts(raw if isinstance(raw, str) else raw[0])
    names = {*parts, *(name.lower() for name in url.query)}
    return not (url.username or names & _LOGIN_PARTS)


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
        if _UNENCRYPTED.search(args[0]):
            raise ConfigurationError(
                "SQL_CONNECTION_STRING turns encryption off, but an identity's token is sent over "
                "encrypted connections only: remove Encrypt"
            )
        args[0] = _LOGIN.sub("", args[0])  # SQLAlchemy adds a login where an address has none
        options["attrs_before"] = {_TOKEN_ATTRIBUTE: packed(get_token())}


def explain_unknown_parts(engine: Engine) -> None:
    """Let mssql-python's refusal of a connection string name the part; values are never shown."""

    @event.listens_for(engine, "do_connect")
    def _connect(dialect: Any, record: Any, args: list[Any], options: dict[str, Any]) -> Any:
        try:
            return dialect.connect(*args, **options)
        except Exception as problem:
            if type(problem).__name__ != "ConnectionStringParseError":
                raise
            names = ", ".join(_KEYWORD.findall(str(problem)))
            raise ConfigurationError(
                f"mssql-python can't read SQL_CONNECTION_STRING: remove {one_line(names, 100)}"
                if names
                else "mssql-python can't read SQL_CONNECTION_STRING: check its parts"
            ) from None


def packed(token: str) -> bytes:
    """Return a token as the driver takes it: its length in bytes, then UTF-16."""
    raw = token.encode("utf-16-le")
    return struct.pack(f"<I{len(raw)}s", len(raw), raw)
