"""What is left after chaos: an account of every job, photo, face, row and message."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text

from imaginem.pipeline.progress_row import ProgressRow
from imaginem.pipeline.states import ENDED
from imaginem.ports import JobKey
from imaginem.runtime import Runtime

OUR_OWN = "imaginem-"
"""How queues begin that carry no jobs: by one of them the landing knows what storage has saved."""


@dataclass
class Executions:
    """How often steps ran, from what they noted.

    Attributes:
        begun: executions of a step that the row did not say was concluded.
        again: executions of one that it did.
        interrupted: executions that did not end: their worker died, or they raised.
    """

    begun: int = 0
    again: int = 0
    interrupted: int = 0
    by_step: Counter[str] = field(default_factory=Counter)


def executions_in(file: Path) -> Executions:
    """Count what the steps of `chaos_app` noted."""
    found = Executions()
    ended = 0
    for line in file.read_text().splitlines():
        word, step, _ = line.split(" ", 2)
        found.begun += word == "begun"
        found.again += word == "again"
        ended += word == "ended"
        found.by_step[step] += word != "ended"
    found.interrupted = found.begun + found.again - ended
    return found


def rows_of(runtime: Runtime, jobs: Mapping[JobKey, object]) -> dict[JobKey, ProgressRow]:
    """Return the rows of jobs, as far as there are any."""
    batches = {batch for batch, _ in jobs}
    rows = [ProgressRow(entry) for batch in batches for entry in runtime.log.batch(batch)]
    return {row.key: row for row in rows if row.key in jobs}


def wait_until_ended(
    runtime: Runtime, jobs: Mapping[JobKey, object], seconds: float, log: Path
) -> dict[JobKey, ProgressRow]:
    """Return all rows once every job has ended and no message is left on any queue."""
    deadline = time.monotonic() + seconds
    while True:
        rows = rows_of(runtime, jobs)
        states = Counter(str(row.job_state) for row in rows.values())
        ended = sum(count for state, count in states.items() if state in ENDED)
        names = [name for name in runtime.queues.names() if not name.startswith(OUR_OWN)]
        left = {name: n for name in names if (n := runtime.queues.count(name))}
        if ended == len(jobs) and not left:
            return rows
        assert time.monotonic() < deadline, (
            f"{len(jobs)} jobs, {len(rows)} rows, {states}, on queues {left}\n"
            f"{[dict(r.as_json()) for r in rows.values() if not r.has_ended][:3]}\n"
            f"{log.read_text('utf-8', 'replace')[-6000:]}"
        )
        time.sleep(1)


def count_by_job(runtime: Runtime, table: str) -> Counter[JobKey]:
    """Return how many rows of an SQL table each job has."""
    job = "id" if table == "pipeline_output" else "job_id"
    query = text(f"select batch_id, {job}, count(*) from {table} group by batch_id, {job}")
    with runtime.database.engine.connect() as connection:
        return Counter({(str(b), str(j)): int(n) for b, j, n in connection.execute(query)})
