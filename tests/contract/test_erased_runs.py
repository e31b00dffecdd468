"""Nothing is written to SQL for a run that was erased, however close in time the two are."""

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select

from imaginem.ports import EarlierOutput, JobErased, JobResult
from imaginem.sql import Database, SqlErasedRuns
from imaginem.sql.schema import ErasedRunRow
from tests.contract.rows import ONE, TWO, face
from tests.stores import Stores, keyed, sql_stores
from tests.waiting import PATIENCE

RUN = "run-1"
FACE = face(1, 0)
RESULT = JobResult(*ONE, ("report",), "https://x.test/a", None, {}, run=RUN)
EARLIER = EarlierOutput(*ONE, datetime(2026, 5, 1, tzinfo=UTC), {}, "report")
WRITES: dict[str, Callable[[Stores], None]] = {
    "face": lambda stores: stores.gallery.enrol(ONE, [FACE], run=RUN),
    "pipeline_output": lambda stores: stores.results.save(RESULT),
    "earlier_output": lambda stores: stores.earlier_outputs.keep(EARLIER, run=RUN),
}


def left(stores: Stores) -> list[Any]:
    result = stores.results.read(ONE)
    outputs = stores.earlier_outputs.of_job(ONE)
    return [*stores.gallery.faces_of(ONE), *([result] if result else []), *outputs]


def erase(stores: Stores) -> None:
    stores.erased_runs.lay(ONE[0], {ONE[1]: {RUN}})
    for store in (stores.gallery, stores.results, stores.earlier_outputs):
        store.erase(ONE)


@pytest.mark.parametrize("table", WRITES)
def test_nothing_is_written_for_a_run_that_was_erased(stores: Stores, table: str) -> None:
    WRITES[table](stores)
    assert left(stores)
    erase(stores)
    with pytest.raises(JobErased):
        WRITES[table](stores)
    assert left(stores) == []


def test_a_later_run_and_other_jobs_write(stores: Stores) -> None:
    erase(stores)
    stores.erased_runs.lay(ONE[0], {ONE[1]: {RUN, ""}, "another": set()})  # again, and nothing new
    stores.gallery.enrol(ONE, [FACE], run="run-2")
    stores.gallery.enrol(TWO, [face(0, 1)], run=RUN)
    stores.results.save(replace(RESULT, run="run-2"))
    stores.earlier_outputs.keep(EARLIER, run="")
    assert len(left(stores)) == 3


@pytest.mark.parametrize("first", [True, False], ids=["first erasure", "later erasure"])
@pytest.mark.parametrize("table", WRITES)
def test_what_is_written_while_its_run_is_erased_is_committed_before_that_and_goes(
    database: Database, tmp_path: Path, table: str, first: bool
) -> None:
    address = database.engine.url.render_as_string(hide_password=False)
    other = Database(address, tmp_path, mark=keyed)
    mine, theirs = sql_stores(database), sql_stores(other)
    if not first:
        theirs.erased_runs.lay("another", {"job": {"run"}})
    writing, may_go_on = threading.Event(), threading.Event()

    def pause(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if re.match(rf"INSERT INTO {table}\b", statement):
            writing.set()
            assert may_go_on.wait(PATIENCE)

    event.listen(database.engine, "before_cursor_execute", pause)
    with ThreadPoolExecutor(2) as pool:
        written = pool.submit(WRITES[table], mine)
        assert writing.wait(PATIENCE)
        erased = pool.submit(erase, theirs)
        try:
            with pytest.raises(TimeoutError):
                erased.result(timeout=0.2)
        finally:
            may_go_on.set()
        written.result(PATIENCE)
        erased.result(PATIENCE)
    assert left(theirs) == []
    with pytest.raises(JobErased):
        WRITES[table](mine)
    other.close()


def test_writers_do_not_wait_for_each_other_on_a_server(
    postgresql: Database, tmp_path: Path
) -> None:
    address = postgresql.engine.url.render_as_string(hide_password=False)
    other = Database(address, tmp_path, mark=keyed)
    patience = "SET LOCAL lock_timeout = 2000"
    event.listen(other.engine, "begin", lambda connection: connection.exec_driver_sql(patience))
    stores = sql_stores(other)
    with SqlErasedRuns(postgresql).writing(ONE, RUN):
        stores.gallery.enrol(TWO, [FACE], run=RUN)
    assert stores.gallery.faces_of(TWO)
    other.close()


def test_many_runs_are_erased_at_once_by_two(database: Database) -> None:
    runs = {f"job-{number}": {"one", "two"} for number in range(400)}
    stores = sql_stores(database)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: stores.erased_runs.lay("b", runs), range(2)))
    with database.session(reading=True) as session:
        assert session.scalar(select(func.count()).select_from(ErasedRunRow)) == 800


class TestCost:
    """Most databases never erase anything: a step pays one query, and reads no key."""

    def test_the_key_is_not_read_before_anything_was_erased(self, tmp_path: Path) -> None:
        asked: list[tuple[str, ...]] = []
        statements: list[str] = []

        def mark(*words: str) -> str:
            asked.append(words)
            return words[-1]

        database = Database("", tmp_path, mark=mark)
        stores = sql_stores(database)
        gallery, erased = stores.gallery, stores.erased_runs
        event.listen(
            database.engine,
            "before_cursor_execute",
            lambda connection, cursor, statement, *_: statements.append(statement),
        )
        for _ in range(2):
            gallery.enrol(ONE, [FACE], run=RUN)
        assert asked == []
        assert sum("erased_run" in statement for statement in statements) == 2

        erased.lay("b", {"job": {"another"}})
        asked.clear()
        statements.clear()
        gallery.enrol(ONE, [FACE], run=RUN)  # finds that something was erased, and looks again
        statements.clear()
        gallery.enrol(ONE, [FACE], run=RUN)
        assert asked == [("run", *ONE, RUN)] * 2
        assert sum("erased_run" in statement for statement in statements) == 1
        database.close()

    def test_the_key_is_read_while_no_transaction_is_open(
        self, sqlite: Database, tmp_path: Path
    ) -> None:
        sql_stores(sqlite).erased_runs.lay("b", {"job": {"another"}})

        def mark(*words: str) -> str:
            with sqlite.session():  # would wait for a writer
                return words[-1]

        database = Database("", tmp_path, mark=mark)
        with SqlErasedRuns(database).writing(ONE, RUN) as session:
            assert session.is_active
        database.close()


def test_runs_of_a_backup_are_added(stores: Stores) -> None:
    erase(stores)
    marks = stores.erased_runs.all()
    stores.erased_runs.restore([*marks, *marks])
    assert list(stores.erased_runs.all()) == list(marks)
