"""A temporary PostgreSQL server for the tests, reached through a Unix socket."""

import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

from sqlalchemy import URL, create_engine

_UNSAFE_BUT_QUICK = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
_MODEST = "-c shared_buffers=32MB -c max_connections=60"


def find_tools() -> Path | None:
    """Return the folder of initdb and pg_ctl, which Debian does not put on the PATH."""
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4])
    )
    if versions:
        return versions[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


class Postgres:
    """One server; `database` gives an empty database, or a copy of another one."""

    def __init__(self, tools: Path) -> None:
        self._tools = tools
        # The path of a socket may have 107 characters at most, so the folder is short.
        self.home = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        self._user: dict[str, object] = {}
        if os.geteuid() == 0:  # the server refuses to run as root
            self._user = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(self.home, "postgres", "postgres")
        self._run("initdb", "-A", "trust", "-U", "imaginem", "-E", "UTF8", "--no-sync")
        options = f"-k {self.home} -c listen_addresses= {_UNSAFE_BUT_QUICK} {_MODEST}"
        log = str(self.home / "log")
        self._run("pg_ctl", "-w", "-t", "30", "-l", log, "-o", options, "start")

    def _run(self, tool: str, *arguments: str) -> None:
        with (self.home / "out").open("ab") as out:
            command = [str(self._tools / tool), "-D", str(self.home / "data"), *arguments]
            environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
            done = subprocess.run(
                command,
                cwd=self.home,
                env=environment,
                stdout=out,
                stderr=out,
                **self._user,  # type: ignore[call-overload]
            )
        assert done.returncode == 0, (self.home / "out").read_text()

    def _url(self, database: str) -> URL:
        return URL.create(
            "postgresql+psycopg", "imaginem", database=database, query={"host": str(self.home)}
        )

    def database(self, template: str = "template1") -> str:
        """Create a database and return its address."""
        name = f"t{uuid.uuid4().hex}"
        admin = create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        admin.dispose()
        return self._url(name).render_as_string(hide_password=False)

    def stop(self) -> None:
        self._run("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(self.home, ignore_errors=True)
