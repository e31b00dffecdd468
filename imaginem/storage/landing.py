"""A folder in which jobs, their photos and decisions lie until the storage emulator saved them.

One file an entry. Its name tells when it landed, its batch and job (by hashes) and, once it is
known, the run; so entries are found, ordered and erased without being read. A job's file is one
line of JSON and the photo's bytes after it: one flush of the file and one of the folder make
both safe.
"""

import hashlib
import logging
import re
import time
import uuid
from collections.abc import Collection
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from imaginem.errors import ConfigurationError, DiskFull, NotFound
from imaginem.ports import Decision, JobKey, LandedJob
from imaginem.storage.durable import TEMPORARY, Disk, disk_errors, write_whole
from imaginem.storage.saves import EmulatorSaves
from imaginem.storage.turnstile import Turnstile

_JOB, _DECISION = ".job", ".decision"
_ASIDE = ".torn"
_STOPPED = "storage-stopped"
_TURNSTILE = "turnstile.lock"
_HASH_DIGITS = 24
_TORN_AFTER = 3600.0
"""Age in seconds from which a file that is not whole is one whose writer died."""

_logger = logging.getLogger("imaginem.landing")
_RUN_IN_NAME = re.compile(r"(\.(?P<run>[A-Za-z0-9-]+))?")
_TRIES = 3
"""How often a file is looked for: it may get its run into its name at this moment, once."""

EntryT = TypeVar("EntryT", LandedJob, Decision)
_JOBS, _DECISIONS = TypeAdapter(LandedJob), TypeAdapter(Decision)


class FileLanding:
    """A folder on this machine's disk, readable by its user alone.

    Args:
        folder: made when something lands for the first time.
        saves: tells what the emulator has saved.
        disk: writes the files.
    """

    holds = ("landing",)
    active = True

    def __init__(self, folder: Path, saves: EmulatorSaves, disk: Disk | None = None) -> None:
        self._folder, self._saves, self._disk = folder, saves, disk or Disk()
        self._turnstile = Turnstile(folder / _TURNSTILE)

    def sending(self) -> AbstractContextManager[None]:
        """Go through the turnstile."""
        self._make()
        return self._turnstile.sending()

    def land(self, job: LandedJob, photo: bytes | None = None) -> LandedJob:
        """Keep a job and its photo's bytes."""
        moment = datetime.now(UTC)
        landed = replace(job, id=_entry_id(moment, job.key), at=moment)
        header = _JOBS.dump_json(landed)
        self._write(_name(landed), header + b"\n", photo or b"")
        return landed

    def sent(self, job: LandedJob, run: str) -> None:
        """Note the run in the file's name: that is one step, and costs no flush."""
        with disk_errors(self._folder), suppress(FileNotFoundError):
            self._disk.rename(self._path(job), self._folder / _name(replace(job, run=run)))

    def jobs(self) -> list[LandedJob]:
        """Return the landed jobs."""
        found = ((path, _read(path, _JOBS)) for path in self._files(_JOB))
        named = (_with_run(job, path) for path, job in found if job is not None)
        return [job for job in named if job is not None]

    def photo(self, job: LandedJob) -> bytes:
        """Return what follows the first line."""
        data = None
        for _ in range(_TRIES):
            with suppress(FileNotFoundError), self._path(job).open("rb") as file:
                file.readline()
                data = file.read()
                break
        if data is None:
            raise NotFound(f"the landed photo of job {job.key[1]} is gone")
        if job.photo is None or hashlib.sha256(data).hexdigest() != job.photo.sha256:
            raise NotFound(f"the landed photo of job {job.key[1]} is not whole")
        return data

    def remove(self, job: LandedJob) -> None:
        """Remove a job's entry, whatever was noted in its name since it was read."""
        self._remove(self._path(job))

    def decide(self, decision: Decision) -> Decision:
        """Keep a decision."""
        moment = datetime.now(UTC)
        landed = replace(decision, id=_entry_id(moment, (decision.batch_id, "")), at=moment)
        self._write(f"{landed.id}{_DECISION}", _DECISIONS.dump_json(landed) + b"\n")
        return landed

    def decisions(self) -> list[Decision]:
        """Return the decisions."""
        found = (_read(path, _DECISIONS) for path in self._files(_DECISION))
        return [decision for decision in found if decision is not None]

    def settle(self, decision: Decision) -> None:
        """Remove a decision."""
        self._remove(self._folder / f"{decision.id}{_DECISION}")

    def ask_storage(self) -> None:
        """Leave a mark in the emulator, and clear away what dead writers left."""
        self._make()
        self._saves.mark()
        for path in self._folder.glob(f"{TEMPORARY}*"):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _TORN_AFTER:
                    path.unlink()

    def saved_until(self) -> datetime | None:
        """Return what the mark tells, or that the emulator ended in good order."""
        moments = (self._saves.until(), self.stopped_at())
        return max((moment for moment in moments if moment is not None), default=None)

    def storage_stopped(self) -> None:
        """Keep the moment in a file."""
        self._make()
        self._remove(self._folder / _STOPPED)
        self._write(_STOPPED, datetime.now(UTC).isoformat().encode())

    def stopped_at(self) -> datetime | None:
        """Return the moment in the file."""
        try:
            return datetime.fromisoformat((self._folder / _STOPPED).read_text("ascii"))
        except (FileNotFoundError, ValueError):
            return None

    def storage_starts(self) -> None:
        """Close the turnstile."""
        with suppress(DiskFull, ConfigurationError):  # without a folder nobody can send either
            self._make()
        self._turnstile.close()

    def storage_started(self) -> None:
        """Remove the file, and open the turnstile."""
        self._remove(self._folder / _STOPPED)
        self._turnstile.open()

    def erase(self, key: JobKey) -> None:
        """Remove a job's entries."""
        self._erase(f"*-{_hash(key[0])}-{_hash(*key)}-*{_JOB}")

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Remove a batch's entries."""
        self._erase(f"*-{_hash(batch_id)}-*{_JOB}")

    def _erase(self, pattern: str) -> None:
        for path in (*self._folder.glob(pattern), *self._folder.glob(pattern + _ASIDE)):
            path.unlink(missing_ok=True)

    def _make(self) -> None:
        with disk_errors(self._folder):
            made = self._folder.is_dir()
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not made:  # the folder's own name must outlive a crash as well
                self._disk.sync(self._folder.parent)

    def _write(self, name: str, *parts: bytes) -> None:
        self._make()
        write_whole(self._disk, self._folder / name, parts)

    def _files(self, ending: str) -> list[Path]:
        """Return whole files, oldest first."""
        try:
            found = sorted(self._folder.iterdir())
        except FileNotFoundError:
            return []
        return [
            path
            for path in found
            if path.name.endswith(ending) and not path.name.startswith(TEMPORARY)
        ]

    def _path(self, job: LandedJob) -> Path:
        """Return an entry's file, whose name has the run since that is known."""
        known = self._folder / _name(job)
        return known if known.exists() else next(self._folder.glob(f"{job.id}*{_JOB}"), known)

    def _remove(self, path: Path) -> None:
        with disk_errors(self._folder):
            path.unlink(missing_ok=True)


def _hash(*ids: str) -> str:
    return hashlib.sha256(to_json(ids)).hexdigest()[:_HASH_DIGITS]


def _entry_id(moment: datetime, key: JobKey) -> str:
    digits = f"{moment.timestamp():017.6f}".replace(".", "")
    return f"{digits}-{_hash(key[0])}-{_hash(*key)}-{uuid.uuid4().hex[:12]}"


def _name(job: LandedJob) -> str:
    return f"{job.id}.{job.run}{_JOB}" if job.run else f"{job.id}{_JOB}"


def _read(path: Path, kind: TypeAdapter[EntryT]) -> EntryT | None:
    """Return an entry; None for one that has been removed, or that is not whole.

    Raises:
        ConfigurationError: it can't be read, and may be a job that was accepted.
    """
    try:
        with path.open("rb") as file:
            return kind.validate_json(file.readline())
    except (FileNotFoundError, IsADirectoryError):
        return None
    except ValidationError:
        _set_aside(path)
        return None
    except OSError as problem:
        raise ConfigurationError(
            f"{path} can't be read ({problem.strerror}), and may be a job that was accepted: give "
            "this user the file, or remove it"
        ) from None


def _set_aside(path: Path) -> None:
    """Give a file that is no entry a name by which it is looked at no more, and say so."""
    aside = path.with_name(path.name + _ASIDE)
    with suppress(OSError):  # it is told again the next time
        path.rename(aside)
    _logger.error(
        "%s is not whole, as after a loss of power, or not of this version: what it was of is not "
        "sent again; it was set aside as %s",
        path,
        aside.name,
    )


def _with_run(job: LandedJob, path: Path) -> LandedJob | None:
    """Return a job with the run that its file's name tells; None for a copy under another name."""
    told = _RUN_IN_NAME.fullmatch(path.name.removesuffix(_JOB).removeprefix(job.id))
    return None if told is None else replace(job, run=told["run"] or "")
