"""Addresses of SQL servers, and the real ODBC driver's errors."""

import socket
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

    @pytest.fixture
    def listener(self) -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
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

    def failure(self, tmp_path: Path, address: str, token: str = "") -> ImaginemError:
        database = Database(address, tmp_path, lambda client_id: token)
        with pytest.raises(ImaginemError) as told, database.session(reading=True):
            pass
        assert "hunter2" not in str(told.value)
        return told.value

    def test_a_server_that_talks_nonsense_or_hangs_up_may_be_back_later(
        self, driver: str, tmp_path: Path, listener: Any
    ) -> None:
        def nonsense(client: socket.socket) -> None:
            client.recv(4096)
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 200)

        def hang_up(client: socket.socket) -> None:
            client.recv(4096)

        for behave in (nonsense, hang_up):
            where = f"Server=tcp:127.0.0.1,{listener(behave)};Database=d;UID=u;PWD=hunter2"
            told = self.failure(tmp_path, f"Driver={driver};{where}")
            assert isinstance(told, RetryableError)
            assert "the results database is not available" in str(told)

    def test_a_server_that_does_not_listen_is_told_within_the_login_timeout(
        self, driver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("imaginem.sql.database._LOGIN_SECONDS", 1)
        monkeypatch.setattr("imaginem.sql.database._CONNECT_TRIES", 1)
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        told = self.failure(
            tmp_path, f"Driver={driver};Server=tcp:127.0.0.1,{port};Database=d;UID=u;PWD=hunter2"
        )
        assert isinstance(told, RetryableError)
        assert "timeout" in str(told).lower()
        assert told.retry_after

    def test_a_driver_that_is_not_there_is_the_operators_to_mend(self, tmp_path: Path) -> None:
        told = self.failure(tmp_path, "Driver=/no/such.so;Server=x;Database=d;UID=u;PWD=hunter2")
        assert isinstance(told, ConfigurationError)
        assert "install msodbcsql18" in str(told)

    def test_a_token_is_never_sent_in_the_clear(self, driver: str, tmp_path: Path) -> None:
        told = self.failure(
            tmp_path, f"Driver={driver};Server=x;Database=d;Encrypt=no", token="hunter2"
        )
        assert isinstance(told, ConfigurationError)
        assert "remove Encrypt" in str(told)


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
