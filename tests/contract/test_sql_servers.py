"""Addresses of SQL servers, and the real ODBC driver's errors."""

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from imaginem.errors import ConfigurationError, ImaginemError, PermanentError, RetryableError
from imaginem.sql import Database
from imaginem.sql.address import identity_of, odbc_string, packed, sqlalchemy_url, wants_token

AZURE = "Server=tcp:x.database.windows.net,1433;Database=imaginem"


class TestAddress:
    @pytest.mark.parametrize(
        "address",
        [
            f"{AZURE};Driver={{ODBC Driver 18 for SQL Server}}",
            "Data Source=tcp:x.database.windows.net,1433;Initial Catalog=imaginem;"
            "Encrypt=True;MultipleActiveResultSets=False;Persist Security Info=False;"
            'Authentication="Active Directory Default";'
            "Driver=ODBC Driver 18 for SQL Server",
        ],
    )
    def test_what_the_portal_shows_is_understood(self, address: str) -> None:
        made = odbc_string(address)

        assert "server=tcp:x.database.windows.net,1433" in made
        assert "database=imaginem" in made
        assert "encrypt=yes" in made
        assert "multiple" not in made
        assert "authentication" not in made
        assert wants_token(sqlalchemy_url(address))

    def test_a_user_in_it_logs_in_with_a_password(self) -> None:
        address = f"{AZURE};User ID=me;Password={{p;w}};Driver=x"

        assert "uid=me;pwd={p;w}" in odbc_string(address)
        assert not wants_token(sqlalchemy_url(address))
        assert not wants_token(sqlalchemy_url("postgresql+psycopg://me@host/db"))

    @pytest.mark.parametrize(
        ("login", "made"),
        [
            ("Authentication=Active Directory Password", "authentication=ActiveDirectoryPassword"),
            (
                "Authentication='Active Directory Service Principal'",
                "authentication=ActiveDirectoryServicePrincipal",
            ),
            ("Authentication=ActiveDirectoryPassword", "authentication=ActiveDirectoryPassword"),
            ("Authentication=Sql Password", "authentication=SqlPassword"),
            ("Integrated Security=SSPI", "trusted_connection=yes"),
        ],
    )
    def test_other_ways_to_log_in_are_the_drivers(self, login: str, made: str) -> None:
        address = f"{AZURE};{login};Driver=x"
        assert made in odbc_string(address)
        assert not wants_token(sqlalchemy_url(address))
        assert identity_of(address) == ""

    @pytest.mark.parametrize(
        "login",
        [
            "Authentication=Active Directory Managed Identity;User Id=1234",
            "Authentication=ActiveDirectoryMsi;UID={1234}",
            "User Id=1234;Authentication=ActiveDirectoryDefault;Trusted_Connection=no",
        ],
    )
    def test_an_identity_that_is_named_logs_in_with_its_token(self, login: str) -> None:
        address = f"{AZURE};{login};Driver=x"
        as_odbc = f"mssql+pyodbc:///?odbc_connect={quote_plus(address)}"
        for each in (address, as_odbc):
            assert wants_token(sqlalchemy_url(each))
            assert identity_of(each) == "1234"
        assert "uid" not in odbc_string(address)
        assert "trusted" not in odbc_string(address)

    def test_what_is_missing_is_named(self) -> None:
        with pytest.raises(ConfigurationError, match="names no database"):
            odbc_string("Server=x")

    def test_a_token_is_packed_as_the_driver_wants_it(self) -> None:
        assert packed("ab") == b"\x04\0\0\0a\0b\0"


@pytest.fixture
def listener() -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
    servers: list[socket.socket] = []

    def listen(behave: Callable[[socket.socket], None]) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def run() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    behave(client)

        threading.Thread(target=run, daemon=True).start()
        return int(server.getsockname()[1])

    yield listen
    for server in servers:
        server.close()


def nonsense(client: socket.socket) -> None:
    """Answer a login with something that is none."""
    client.recv(4096)
    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 200)


def hang_up(client: socket.socket) -> None:
    """Close the connection after the first words."""
    client.recv(4096)


def failure(tmp_path: Path, address: str, token: str = "", driver: str = "pyodbc") -> ImaginemError:
    """Return the error of a session with a server."""
    database = Database(address, tmp_path, lambda client_id: token, driver=driver)
    with pytest.raises(ImaginemError) as told, database.session(reading=True):
        pass
    assert "hunter2" not in str(told.value)
    return told.value


class TestRealDriver:
    """Microsoft's ODBC driver, loaded by pyodbc, talking to servers that are none."""

    @pytest.fixture
    def driver(self) -> str:
        import mssql_python_odbc

        found = sorted(
            Path(mssql_python_odbc.get_libs_dir()).glob("linux/*/x86_64/lib/libmsodbcsql-18*")
        )
        debian = [path for path in found if "debian" in str(path)]
        assert debian, "mssql-python-odbc holds no driver for this machine"
        return str(debian[0])

    def test_a_server_that_talks_nonsense_or_hangs_up_may_be_back_later(
        self, driver: str, tmp_path: Path, listener: Any
    ) -> None:
        for behave in (nonsense, hang_up):
            where = f"Server=tcp:127.0.0.1,{listener(behave)};Database=d;UID=u;PWD=hunter2"
            told = failure(tmp_path, f"Driver={driver};{where}")
            assert isinstance(told, RetryableError)
            assert "the results database is not available" in str(told)

    def test_a_server_that_does_not_listen_is_told_within_the_login_timeout(
        self, driver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("imaginem.sql.database._LOGIN_SECONDS", 1)
        monkeypatch.setattr("imaginem.sql.database._CONNECT_TRIES", 1)
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        told = failure(
            tmp_path, f"Driver={driver};Server=tcp:127.0.0.1,{port};Database=d;UID=u;PWD=hunter2"
        )
        assert isinstance(told, RetryableError)
        assert "timeout" in str(told).lower()
        assert told.retry_after

    def test_a_driver_that_is_not_there_is_the_operators_to_mend(self, tmp_path: Path) -> None:
        told = failure(tmp_path, "Driver=/no/such.so;Server=x;Database=d;UID=u;PWD=hunter2")
        assert isinstance(told, ConfigurationError)
        assert "install msodbcsql18" in str(told)

    def test_a_token_is_never_sent_in_the_clear(self, driver: str, tmp_path: Path) -> None:
        told = failure(tmp_path, f"Driver={driver};Server=x;Database=d;Encrypt=no", token="hunter2")
        assert isinstance(told, ConfigurationError)
        assert "remove Encrypt" in str(told)


class TestMssqlPython:
    """Microsoft's package mssql-python, the real one, talking to servers that are none."""

    @pytest.fixture
    def told(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        """What the package is told when it connects; it then refuses."""
        import mssql_python

        told: dict[str, Any] = {}

        def connect(text: str, **options: Any) -> None:
            told.update(text=text, **options)
            raise mssql_python.OperationalError("Server rejected the connection", "not here")

        monkeypatch.setattr(mssql_python, "connect", connect)
        monkeypatch.setattr("imaginem.sql.database._CONNECT_TRIES", 1)
        return told

    @pytest.mark.parametrize(
        ("login", "identity"),
        [
            ("", ""),
            (";Driver={ODBC Driver 18 for SQL Server};MultipleActiveResultSets=False", ""),
            (";Authentication=Active Directory Managed Identity;User Id=1234", "1234"),
        ],
    )
    def test_the_apps_identity_logs_in_with_its_token(
        self, tmp_path: Path, told: dict[str, Any], login: str, identity: str
    ) -> None:
        asked: list[str] = []

        def token(client_id: str) -> str:
            asked.append(client_id)
            return "hunter2"

        database = Database(f"{AZURE}{login}", tmp_path, token, driver="mssql-python")
        with pytest.raises(RetryableError, match="not here"), database.session():
            pass

        assert asked == [identity]
        assert told["attrs_before"] == {1256: packed("hunter2")}
        assert told["timeout"] == 15
        parts = dict(part.split("=", 1) for part in told["text"].lower().split(";") if part)
        server = "tcp:x.database.windows.net,1433"
        assert parts == {"server": server, "database": "imaginem", "encrypt": "yes"}

    def test_a_user_and_his_password_reach_the_driver_as_they_are(
        self, tmp_path: Path, told: dict[str, Any]
    ) -> None:
        address = f"{AZURE};User ID=me;Password={{p;w}}}}}};Encrypt=Optional"
        database = Database(address, tmp_path, lambda client_id: "", driver="mssql-python")
        with pytest.raises(RetryableError), database.session():
            pass
        assert "UID=me;PWD={p;w}}};encrypt=Optional" in told["text"]
        assert "attrs_before" not in told

    def test_an_address_of_sqlalchemy_names_its_driver_or_takes_the_setting(self) -> None:
        def driver(address: str, setting: str) -> str:
            return sqlalchemy_url(address, setting).get_driver_name()

        assert driver("mssql://u@host/db", "mssql-python") == "mssqlpython"
        assert driver("mssql://u@host/db", "pyodbc") == "pyodbc"
        assert driver("mssql+pyodbc://u@host/db", "mssql-python") == "pyodbc"
        assert driver("mssql+mssqlpython://u@host/db", "pyodbc") == "mssqlpython"
        assert driver("postgresql+psycopg://u@host/db", "mssql-python") == "psycopg"

    @pytest.mark.parametrize("behave", [nonsense, hang_up])
    def test_a_server_that_talks_nonsense_or_hangs_up_may_be_back_later(
        self,
        tmp_path: Path,
        listener: Any,
        behave: Callable[[socket.socket], None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("imaginem.sql.database._LOGIN_SECONDS", 1)
        monkeypatch.setattr("imaginem.sql.database._CONNECT_TRIES", 1)
        where = f"Server=tcp:127.0.0.1,{listener(behave)};Database=d;UID=u;PWD=hunter2"
        told = failure(tmp_path, where, driver="mssql-python")
        assert isinstance(told, RetryableError)
        assert "the results database is not available" in str(told)

    def test_a_part_that_the_package_does_not_know_is_named(self, tmp_path: Path) -> None:
        where = "Server=tcp:127.0.0.1,1;Database=d;UID=u;PWD=hunter2;Language=hunter2"
        told = failure(tmp_path, where, driver="mssql-python")
        assert isinstance(told, ConfigurationError)
        assert "remove language" in str(told)

    def test_a_token_is_never_sent_in_the_clear(self, tmp_path: Path) -> None:
        where = "Server=x;Database=d;Encrypt=no"
        told = failure(tmp_path, where, token="hunter2", driver="mssql-python")
        assert isinstance(told, ConfigurationError)
        assert "remove Encrypt" in str(told)

    def test_a_package_that_is_not_installed_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "mssql_python", None)
        told = failure(tmp_path, f"{AZURE};UID=u;PWD=hunter2", driver="mssql-python")
        assert isinstance(told, ConfigurationError)
        assert "needs the package mssql-python" in str(told)


def test_ids_that_azure_sql_could_not_keep_apart_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database("", tmp_path)
    monkeypatch.setattr(database.engine.dialect, "name", "mssql")
    database.check_key(("b" * 400, "j" * 450))
    with pytest.raises(PermanentError, match="851 characters"):
        database.check_key(("b" * 400, "j" * 451))
    with pytest.raises(PermanentError, match="ends with a space"):
        database.check_key(("b", "job "))
    database.close()
