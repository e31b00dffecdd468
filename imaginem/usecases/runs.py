"""Every run of a job that anything knows of, to be told as erased."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from imaginem.errors import InvalidMessage
from imaginem.message import decode_message
from imaginem.pipeline.loading import run_of_replay
from imaginem.pipeline.poison import as_new_run
from imaginem.pipeline.progress_row import ProgressRow, read_row
from imaginem.ports import DashboardServices, JobKey, LandedJob, PoisonEntry
from imaginem.usecases.erasables import PoisonedMessages


def runs_of_job(services: DashboardServices, key: JobKey) -> set[str]:
    """Return the runs of a job that its row, SQL, its poison entries or the landing know."""
    row, sent = read_row(services.log, key), services.submissions.submission(key)
    result = services.results.read(key)
    runs = {*(row.runs if row else ()), sent.run if sent else "", result.run if result else ""}
    for entry in PoisonedMessages(services.poison).of_job(key):
        runs.update(runs_of_entry(services, entry))
    for job in services.landing.jobs():
        if job.key == key:
            runs |= {job.run, name_of_landed(job)}
    return runs - {""}


def runs_of_batch(
    services: DashboardServices, batch_id: str, rows: Iterable[ProgressRow]
) -> dict[str, set[str]]:
    """Return the runs of a batch's jobs, by job id."""
    runs: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        runs[row.job_id].update(row.runs)
    for job_id, sent in services.submissions.submissions(batch_id).items():
        runs[job_id].add(sent.run)
    for entry in PoisonedMessages(services.poison).of_batch(batch_id):
        runs[entry.job_id].update(runs_of_entry(services, entry))
    for job in services.landing.jobs():
        if job.key[0] == batch_id:
            runs[job.key[1]] |= {job.run, name_of_landed(job)}
    return runs


def name_of_landed(job: LandedJob) -> str:
    """Return what stands for the run of a landed job, which is known only once it was sent.

    Whoever sends the job again may have read the entry before it was erased. So the message says
    by this name, as `replay_of`, of which entry it is made.
    """
    return f"landed-{job.id}"


def runs_of_entry(services: DashboardServices, entry: PoisonEntry) -> Iterator[str]:
    """Yield the run that was poisoned, and the one that a replay of the entry starts."""
    yield entry.id
    try:
        message = decode_message(as_new_run(entry), services.core_settings.default_pipeline)
    except InvalidMessage:
        return
    yield message.job_definition.bookkeeping.replay_of
    yield run_of_replay(message)
