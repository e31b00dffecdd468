"""Jobs that wait for others at a group step: one entry of the shared state each.

An entry says that a job waits, not more: each job is held by a message of its own on the step's
queue, which comes when the job has waited long enough. So an entry that is lost, or stays, does
no harm. Jobs that one call works on are claimed together, in one transaction that writes the name
of a *sheet* into each entry, and makes an entry for the sheet. Whoever works on a sheet writes that
entry again and again: where it stays as it is, or is gone, the sheet is nobody's.

Jobs of different batches never share a sheet: people may see one batch and not the other.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from imaginem.errors import Conflict
from imaginem.message import JobMessage
from imaginem.ports import JobKey, SharedState, StateChange

PREFIX = "gathering-"
_SHEET = "sheet-"
_DIGITS = 32


@dataclass(frozen=True)
class Waiting:
    """A job that waits at a group step.

    Attributes:
        key: batch id and job id.
        run: of the job.
        row_fence: of the job's row when it began to wait.
        token: stands for this wait; the message that holds the job carries it, and its outcome is
            recorded under it.
        since: when it began to wait.
        put: when the message that brought it was put on its queue, if that is known.
        sheet: the sheet that it was taken into; empty as long as it waits.
        apart: whether no other message's sheet may take it.
        waits, traceparent, unbarred: what the bookkeeping of its message says; the row does not.
    """

    key: JobKey
    run: str
    row_fence: str
    token: str
    since: datetime
    put: datetime | None = None
    sheet: str = ""
    apart: bool = False
    waits: int = 0
    traceparent: str = ""
    unbarred: str = ""


@dataclass(frozen=True)
class Entry:
    """What the shared state has of a job that waits; `fence` is the entry's own."""

    name: str
    fence: str
    job: Waiting

    @property
    def is_free(self) -> bool:
        """Whether any sheet may take it."""
        return not (self.job.sheet or self.job.apart)


@dataclass(frozen=True)
class SheetEntry:
    """What the shared state has of a sheet.

    Attributes:
        runner: id of the queue message in whose delivery the sheet is worked on.
        fence: changes with each sign of life.
    """

    name: str
    runner: str
    fence: str


_TEXT = TypeAdapter(Waiting)


class Gathering:
    """The entries of jobs that wait at one step.

    Args:
        shared: where they are.
        step: name of the step.
    """

    def __init__(self, shared: SharedState, step: str) -> None:
        self._shared, self._step = shared, step

    def find(self, message: JobMessage) -> Entry | None:
        """Return the entry of a message's job."""
        name = self.name_of(message)
        return _entry(name, self._shared.read(name))

    def place(self, message: JobMessage, job: Waiting) -> bool:
        """Say that a job waits; tell whether it does so by this very call.

        It does not if the same run of the job waits already.
        """
        name, fence = self.name_of(message), ""
        while True:
            try:
                self._shared.write(name, _text(job), fence)
                return True
            except Conflict:
                found = _entry(name, self._shared.read(name))
                if found is not None and found.job.run == job.run:
                    return found.job.token == job.token  # our own, if its answer was lost
                fence = found.fence if found else ""

    def free(self, message: JobMessage) -> list[Entry]:
        """Return the entries that may share a sheet with a message's job, the oldest first."""
        prefix = self.name_of(message).rpartition("-")[0]
        return sorted(
            (entry for entry in _entries(self._shared, f"{prefix}-") if entry.is_free),
            key=lambda entry: (entry.job.since, entry.name),
        )

    def claim(self, sheet: str, runner: str, entries: Sequence[Entry]) -> "Claimed":
        """Take entries into a sheet: all of them, or none.

        Args:
            sheet: its id, which no other one has.
            runner: id of the queue message that is delivered.
            entries: at most 50.

        Raises:
            Conflict: one of them has changed.
        """
        taken = [replace(entry, job=replace(entry.job, sheet=sheet)) for entry in entries]
        changes = [
            StateChange(f"{_SHEET}{sheet}", runner),
            *(StateChange(entry.name, _text(entry.job), entry.fence) for entry in taken),
        ]
        try:
            own, *fences = self._shared.change(changes)
        except Conflict:
            known = self.sheet(sheet)
            if known is None:
                raise
            # It was this very call, made again by the SDK since its answer was lost.
            read = {entry.name: self._shared.read(entry.name) for entry in entries}
            own, fences = known.fence, [(read[e.name] or ("", ""))[1] for e in entries]
        pairs = zip(taken, fences, strict=True)
        mine = [replace(entry, fence=fence) for entry, fence in pairs]
        return Claimed(SheetEntry(f"{_SHEET}{sheet}", runner, own), mine)

    def sheet(self, sheet: str) -> SheetEntry | None:
        """Return what there is of a sheet; None if nobody works on it."""
        found = self._shared.read(f"{_SHEET}{sheet}")
        return None if found is None else SheetEntry(f"{_SHEET}{sheet}", *found)

    def forget_sheet(self, sheet: SheetEntry | None) -> None:
        """Remove a sheet that nobody works on any more."""
        if sheet is not None:
            self._shared.remove(sheet.name, sheet.fence)

    def beat(self, sheet: SheetEntry) -> SheetEntry:
        """Give a sign of life.

        Raises:
            Conflict: somebody else took the sheet for dead.
        """
        return replace(sheet, fence=self._shared.write(sheet.name, sheet.runner, sheet.fence))

    def set_apart(self, entry: Entry) -> None:
        """Leave a job to its own message, unless somebody has changed its entry."""
        job = replace(entry.job, sheet="", apart=True)
        try:
            self._shared.write(entry.name, _text(job), entry.fence)
        except Conflict:
            return

    def end(self, sheet: SheetEntry, done: Sequence[Entry]) -> None:
        """Remove a sheet, and the entries of jobs that were sent on, unless somebody took them."""
        changes = [
            StateChange(sheet.name, None, sheet.fence),
            *(StateChange(entry.name, None, entry.fence) for entry in done),
        ]
        try:
            self._shared.change(changes)
        except Conflict:
            for entry in done:
                self._shared.remove(entry.name, entry.fence)
            self._shared.remove(sheet.name, sheet.fence)

    def remove(self, entry: Entry) -> None:
        """Remove an entry that is as it was read."""
        self._shared.remove(entry.name, entry.fence)

    def name_of(self, message: JobMessage) -> str:
        """Return the name of a job's entry, which begins alike for all that may share a sheet."""
        engines = message.job_definition.bookkeeping.engines or "0"
        return f"{PREFIX}{self._step}-{_of_batch(message.key[0])}-{engines}-{_of_job(message.key)}"


@dataclass(frozen=True)
class Claimed:
    """A sheet, and the entries that were taken into it."""

    sheet: SheetEntry
    entries: list[Entry]


class GatheringJobs:
    """The entries of all steps, as something of which jobs are erased."""

    holds = ("pipelinestate",)  # other entries name a job by a hash, or are a sweep's

    def __init__(self, shared: SharedState) -> None:
        self._shared = shared

    def erase(self, key: JobKey) -> None:
        """Remove a job's entries."""
        self._remove(f"-{_of_job(key)}")

    def erase_batch(self, batch_id: str, job_ids: Iterable[str]) -> None:
        """Remove a batch's entries."""
        self._remove(f"-{_of_batch(batch_id)}-")

    def forget(self, before: datetime) -> None:
        """Remove entries of jobs that have waited since before a moment: no message holds them.

        A sheet that no entry names is nobody's: both are written and removed together.
        """
        sheets = self._shared.list(_SHEET)  # before the entries
        entries = _entries(self._shared, PREFIX)
        for entry in entries:
            if entry.job.since < before:
                self._shared.remove(entry.name, entry.fence)
        for name in sheets.keys() - {f"{_SHEET}{entry.job.sheet}" for entry in entries}:
            self._shared.remove(name, sheets[name][1])

    def _remove(self, part: str) -> None:
        """Remove the entries whose name has a part, which is a hash."""
        for name in self._shared.list(PREFIX):
            if part in name:
                self._shared.remove(name)


def stop_waiting(shared: SharedState, step: str, message: JobMessage) -> None:
    """Remove the entry of a job of which a message was given up.

    If another message holds it, that one works on the job by itself.
    """
    gathering = Gathering(shared, step)
    entry = gathering.find(message)
    if entry is not None:
        gathering.remove(entry)


def company(shared: SharedState, batch_id: str) -> dict[tuple[str, str], int]:
    """Return by step and job id with how many jobs, itself included, each free one waits."""
    middle = f"-{_of_batch(batch_id)}-"
    found = [e for e in _entries(shared, PREFIX) if middle in e.name and e.is_free]
    groups = [entry.name.rpartition("-")[0] for entry in found]
    return {
        (entry.name.split("-")[1], entry.job.key[1]): groups.count(group)
        for entry, group in zip(found, groups, strict=True)
    }


def _entries(shared: SharedState, prefix: str) -> list[Entry]:
    found = (_entry(name, kept) for name, kept in shared.list(prefix).items())
    return [entry for entry in found if entry is not None]


def _entry(name: str, kept: tuple[str, str] | None) -> Entry | None:
    if kept is None:
        return None
    try:
        return Entry(name, kept[1], _TEXT.validate_json(kept[0]))
    except ValidationError:  # the table was edited by hand
        return None


def _text(job: Waiting) -> str:
    return _TEXT.dump_json(job).decode()


def _of_batch(batch_id: str) -> str:
    return hashlib.sha256(batch_id.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def _of_job(key: JobKey) -> str:
    return hashlib.sha256(to_json(key)).hexdigest()[:_DIGITS]
