"""`imaginem db`: the schema of the results database."""

import uuid
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from imaginem.cli.shared import (
    App,
    Exit,
    Json,
    err,
    exit_on_error,
    fail,
    load_registry,
    make_runtime,
    out,
    print_json,
)
from imaginem.sql.database import read_revision
from imaginem.sql.migrations import HEAD
from imaginem.usecases.own_outputs import OwnOutputs

db_app = typer.Typer(no_args_is_help=True, help="The schema of the results database.")
_DIALECTS = ("mssql", "postgresql", "sqlite")


@db_app.command("upgrade")
def upgrade(
    sql: Annotated[
        str, typer.Option(metavar="DIALECT", help="Print the SQL for a server; change nothing.")
    ] = "",
    app: App = Path(),
) -> None:
    """Bring the tables up to date. On a server, run it as its administrator."""
    with exit_on_error():
        from imaginem.sql import migrate

        if sql:
            if sql not in _DIALECTS:
                fail(f"--sql takes {', '.join(_DIALECTS)}, not {sql!r}", Exit.USAGE)
            out.print(migrate.script(sql), markup=False, highlight=False, soft_wrap=True)
            return
        database = make_runtime(app).database
        with database.clear_errors():
            migrate.upgrade(database.connect())
        out.print(f"the schema is {HEAD}, which this version needs")


@db_app.command("status")
def status(as_json: Json = False, app: App = Path()) -> None:
    """Tell which schema the database has, and which this version needs."""
    with exit_on_error():
        database = make_runtime(app).database
        with database.clear_errors(), database.connect().connect() as connection:
            revision = read_revision(connection)
    if as_json:
        print_json({"schema": revision, "needed": HEAD})
    else:
        out.print(f"schema {revision or 'none'}, needed {HEAD}")
    if revision != HEAD:
        raise typer.Exit(int(Exit.FAILED))


@db_app.command("vectors")
def vectors(as_json: Json = False, app: App = Path()) -> None:
    """Let the server find similar faces by an index of its own; safe to repeat."""
    with exit_on_error():
        from imaginem.sql import nearest, pgvector

        database = make_runtime(app).database
        with database.clear_errors(), Progress(console=err) as bar:
            task = bar.add_task("vectors", total=None)
            dialect = database.engine.dialect.name
            if dialect == "postgresql":
                count = pgvector.prepare(
                    database.engine,
                    lambda done, total: bar.update(task, completed=done, total=total),
                )
            elif dialect == "mssql":
                count = nearest.make_vector_index(database.engine)
            else:
                fail("SQLite has no vectors: each machine keeps an index of its own", Exit.USAGE)
    if as_json:
        print_json({"faces": count})
    else:
        out.print(f"the server has an index of {count:,} faces")


@db_app.command("reindex")
def reindex(
    batch: Annotated[str, typer.Option("--batch", help="Photos of this batch alone.")] = "",
    as_json: Json = False,
    app: App = Path(),
) -> None:
    """Let photos be found by what steps declare now, of stored outputs; safe to stop and repeat."""
    with exit_on_error():
        from imaginem.sql.reindexing import Reindexed
        from imaginem.sql.reindexing import reindex as reindexed

        registry = load_registry(app)  # without its steps, what they found would be removed
        database, so_far = make_runtime(app).database, Reindexed(0, 0, 0)
        columns = (TextColumn("photos"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with database.clear_errors(), Progress(*columns, console=err) as bar:
            task = bar.add_task("photos", total=None)
            for so_far in reindexed(database, OwnOutputs(registry).index, batch):
                bar.update(task, completed=so_far.done, total=so_far.total)
        if batch and not so_far.done:
            fail(f"there are no results of batch {batch}; see `imaginem status {batch}`")
    if as_json:
        print_json({"photos": so_far.done, "changed": so_far.changed})
    else:
        told = f"{so_far.done:,} photos were looked at, what finds them changed for"
        out.print(f"{told} {so_far.changed:,}", highlight=False)


@db_app.command("grant")
def grant(
    identity: Annotated[str, typer.Argument(help="Name of the app's managed identity.")],
    client_id: Annotated[uuid.UUID, typer.Argument(help="Its client id.")],
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL; change nothing.")] = False,
    app: App = Path(),
) -> None:
    """Let the app's identity read and write rows in Azure SQL, and nothing more."""
    with exit_on_error():
        from imaginem.sql.grant import grant as grant_rights
        from imaginem.sql.grant import grant_script

        if sql:
            out.print(grant_script(identity, client_id), markup=False, soft_wrap=True)
            return
        database = make_runtime(app).database
        with database.clear_errors():
            grant_rights(database.connect(), identity, client_id)
        out.print(f"{identity} may read and write rows")
