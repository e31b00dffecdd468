"""In-memory fake of the runs that were erased."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager

from imaginem.memory.database import MemoryDatabase
from imaginem.ports import JobErased, JobKey


class MemoryErasedRuns:
    """`erased_run` in memory, which needs no marks."""

    def __init__(self, database: MemoryDatabase | None = None) -> None:
        self._database = database or MemoryDatabase()

    def lay(self, batch_id: str, runs: Mapping[str, Collection[str]]) -> None:
        """Note runs."""
        with self._database.lock:
            self._database.erased_runs |= {
                ((batch_id, job_id), run) for job_id, known in runs.items() for run in known if run
            }

    def all(self) -> list[str]:
        """Return the runs, unhashed."""
        return sorted(json.dumps([*key, run]) for key, run in self._database.erased_runs)

    def restore(self, marks: Iterable[str]) -> None:
        """Note runs."""
        named = (json.loads(mark) for mark in marks)
        with self._database.lock:
            self._database.erased_runs |= {((batch, job), run) for batch, job, run in named}

    @contextmanager
    def writing(self, key: JobKey, run: str) -> Iterator[None]:
        """Write for a run."""
        with self._database.lock:
            if run and (key, run) in self._database.erased_runs:
                raise JobErased
            yield
