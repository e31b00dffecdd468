"""What an erasure removed from where: counted before it and after it."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from imaginem.pipeline.progress_row import progress_properties, read_row
from imaginem.ports import DashboardServices
from imaginem.usecases.erasables import JobBlobs, PoisonedMessages

Contents = Mapping[str, int]
"""How many entries of a job or a batch each store has, by its table, container or folder."""


@dataclass(frozen=True)
class Receipt:
    """What was erased; it names nobody. Once it is issued it has an id and a signature.

    Attributes:
        jobs: how many were erased.
        removed: how many entries, by table, container or folder.
        left: the same of what is there afterwards: of a job that was sent again meanwhile.
        id: random.
        at: when it was erased, in UTC.
        kind: what was erased, such as `job` or `batch`.
        subject: keyed hash of it.
        backup_days: for how long backups and deleted blobs keep it; 0 if there are none.
        on_disk: bytes of it may still lie in files of the machine that erased it.
        leaving: faces that Azure Face has still to forget, those of other erasures too.
        swept: what was found and removed when everything was looked through once more.
        final: that was done, and nothing that was at work before can write any more.
        final_after: when that is done at the earliest; empty where it is not needed.
        final_at: when it was done; empty if it was not.
        mac: the signature, by the installation's key.
    """

    jobs: int
    removed: Contents
    left: Contents = field(default_factory=dict)
    id: str = ""
    at: str = ""
    kind: str = ""
    subject: str = ""
    backup_days: int = 0
    on_disk: bool = False
    leaving: int = 0
    swept: Contents = field(default_factory=dict)
    final: bool = False
    final_after: str = ""
    final_at: str = ""
    mac: str = ""


def contents(
    services: DashboardServices, batch_id: str, job_ids: Collection[str], *, whole: bool = False
) -> Counter[str]:
    """Return how many entries of jobs, or of a whole batch, each store has."""
    keys = [(batch_id, job_id) for job_id in sorted(job_ids)]
    ids, found = set(job_ids), Counter[str]()
    for store in services.erasables:
        if isinstance(store, JobBlobs):
            names = (
                store.of_batch(batch_id) if whole else [n for k in keys for n in store.of_job(k)]
            )
            found[store.holds[0]] += len(names)
    drops = services.drops.of_batch(batch_id)
    found["pipelinedrops"] += sum(whole or drop.job_id in ids for drop in drops)
    landed = [job.key for job in services.landing.jobs() if job.key[0] == batch_id]
    found["landing"] += sum(whole or key[1] in ids for key in landed)
    poisoned = PoisonedMessages(services.poison)
    entries = (
        poisoned.of_batch(batch_id) if whole else [e for k in keys for e in poisoned.of_job(k)]
    )
    found["pipelinepoison"] += len(entries)
    found["face"] += len(services.gallery.faces_of(*keys)) if keys else 0
    found["submission"] += len(ids & set(services.submissions.submissions(batch_id)))
    found["pipeline_output"] += len(ids & set(services.results.finished(batch_id)))
    if whole:
        rows = services.log.batch(batch_id, only=progress_properties(()))
        found["pipelinelogs"] += sum(1 for _ in rows)
    else:
        found["pipelinelogs"] += sum(read_row(services.log, key) is not None for key in keys)
    return +found


def receipt(jobs: int, before: Counter[str], after: Counter[str]) -> Receipt:
    """Return what went between two counts."""
    return Receipt(jobs, dict(sorted((before - after).items())), dict(sorted(after.items())))
