"""Erasing a photo everywhere, by its file; and barring it, so that it does not come back.

A bar is committed before anything is looked for and erased. Whoever brings the photo in meanwhile
either is found, or finds the bar.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from imaginem.errors import InvalidMessage, NotFound
from imaginem.pipeline.barred import mark_of
from imaginem.ports import AuditDeed, AuditSubject, BarredPhoto, DashboardServices, JobKey
from imaginem.usecases.access import Caller
from imaginem.usecases.audit.acting import note
from imaginem.usecases.audit.chain import hash_of
from imaginem.usecases.erase import forget_job
from imaginem.usecases.kept_receipts import issue
from imaginem.usecases.planned_sweeps import plan_sweep
from imaginem.usecases.receipts import Receipt
from imaginem.usecases.same_photo import SoughtPhoto, jobs_with_photo

NO_JOB = (
    "no job has this photo, byte for byte; an edited or recompressed copy is another photo: search "
    "for its faces"
)


@dataclass(frozen=True)
class ForgottenPhoto:
    """What was erased, and where the photo is barred from now on.

    Attributes:
        jobs: those that were erased.
        receipt: of all of them together.
        barred: groups in which it is barred; an empty one stands for batches of no group.
    """

    jobs: Sequence[JobKey]
    receipt: Receipt
    barred: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """Return which jobs were erased and where the photo is barred, for programs."""
        jobs = [{"batch_id": batch_id, "job_id": job_id} for batch_id, job_id in self.jobs]
        return {"erased": jobs, "barred": list(self.barred)}


@dataclass(frozen=True)
class Reach:
    """Whose batches count.

    Attributes:
        caller: sees no others.
        group: only this group's; None for all that the caller sees.
    """

    caller: Caller
    group: str | None = None

    def check(self) -> None:
        """Check that the caller is in the group. Raises InvalidMessage."""
        if self.group and not self.caller.may_see(self.group):
            raise InvalidMessage("group: you are not in this group")


def find_photo(services: DashboardServices, photo: SoughtPhoto, reach: Reach) -> list[JobKey]:
    """Return the jobs whose photo has exactly these bytes.

    Raises:
        InvalidMessage: the caller is not in the group.
    """
    reach.check()

    def visible(batches: Collection[str]) -> set[str]:
        groups = services.batches.groups_of(batches)
        named = {batch_id: groups.get(batch_id, "") for batch_id in batches}
        return {
            batch_id
            for batch_id, group in named.items()
            if reach.caller.may_see(group) and reach.group in (None, group)
        }

    return jobs_with_photo(services, photo, visible)


def forget_photo(
    services: DashboardServices, photo: SoughtPhoto, reach: Reach, *, never_again: bool = False
) -> ForgottenPhoto:
    """Erase every job whose photo has exactly these bytes; done again, it goes on.

    Args:
        services: where it is erased.
        photo: what is erased.
        reach: whose batches.
        never_again: bar it, too: in the group, or without one in all groups that had it, and in
            batches of no group.

    Raises:
        NotFound: no job has this photo, and it is not to be barred.
        InvalidMessage: the caller is not in the group.
    """
    found = find_photo(services, photo, reach)
    barred: set[str] = set()
    if never_again:
        note(services, AuditDeed.BARRED, AuditSubject.PHOTO, photo.sha256)
        while missing := _groups_to_bar(services, found, reach) - barred:
            for group in sorted(missing):
                mark = mark_of(services, group, photo.sha256)
                services.barred.bar(group, mark, reach.caller.name)
            barred |= missing
            found = find_photo(services, photo, reach)  # by now whoever comes later finds the bar
    if not found and not never_again:
        raise NotFound(NO_JOB)
    sweep = _plan_sweep(services, found)
    erased = dict(_erase(services, found))
    subject = hash_of(services.installation_key, AuditSubject.PHOTO, photo.sha256)
    done = issue(services, summed(erased.values()), AuditSubject.PHOTO, subject, sweep=sweep)
    if erased:
        services.erased.settle()
    return ForgottenPhoto(list(erased), done, sorted(barred))


def _plan_sweep(services: DashboardServices, jobs: Sequence[JobKey]) -> str:
    """Note that jobs are looked through once more; return the receipt's id, empty without jobs."""
    receipt_id = ""
    for batch_id, keys in groupby(sorted(jobs), lambda key: key[0]):
        own = [job_id for _, job_id in keys]
        receipt_id = plan_sweep(services, batch_id, own, receipt_id=receipt_id)
    return receipt_id


def _groups_to_bar(services: DashboardServices, found: Sequence[JobKey], reach: Reach) -> set[str]:
    if reach.group is not None:
        return {reach.group}
    batches = {batch_id for batch_id, _ in found}
    return {"", *services.batches.groups_of(batches).values()}


def _erase(services: DashboardServices, jobs: Sequence[JobKey]) -> Iterable[tuple[JobKey, Receipt]]:
    """Erase jobs; yield what went."""
    for key in jobs:
        with suppress(NotFound):  # somebody else erased it meanwhile
            yield key, forget_job(services, key, settle=False)


def summed(receipts: Iterable[Receipt]) -> Receipt:
    """Return one receipt for several erasures."""
    jobs, removed, left = 0, Counter[str](), Counter[str]()
    for each in receipts:
        jobs += each.jobs
        removed.update(each.removed)
        left.update(each.left)
    return Receipt(jobs, dict(sorted(removed.items())), dict(sorted(left.items())))


def lift_photo(services: DashboardServices, photo: SoughtPhoto, reach: Reach) -> list[str]:
    """Let a photo come back; return the groups in which it was barred.

    Raises:
        NotFound: it is not barred.
        InvalidMessage: the caller is not in the group.
    """
    reach.check()
    bars = [bar for bar in services.barred.all() if reach.group in (None, bar.group)]
    own = [bar for bar in bars if _is_of(services, bar, photo)]
    if not own:
        raise NotFound("this photo is not barred")
    note(services, AuditDeed.LIFTED, AuditSubject.PHOTO, photo.sha256)
    return sorted(bar.group for bar in own if services.barred.lift(bar.mark))


def _is_of(services: DashboardServices, bar: BarredPhoto, photo: SoughtPhoto) -> bool:
    return bar.mark == mark_of(services, bar.group, photo.sha256)
