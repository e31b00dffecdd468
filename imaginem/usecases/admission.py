"""What makes two photos two jobs: one rule of ids for command line, API, pages and dropped blobs.

A job's id is made of its photo's name and content. The row of a submission is the claim on an id:
it is written by insert or by compare-and-swap before anything is sent, so that of two photos that
want one id at the same time only one gets it.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from imaginem.errors import PermanentError, StorageUnavailable
from imaginem.pipeline.barred import check_photo
from imaginem.pipeline.progress_row import read_row
from imaginem.pipeline.source import forget_photos_but
from imaginem.ports import AuditDeed, AuditSubject, DashboardServices, JobKey, Submission
from imaginem.redaction import without_query
from imaginem.usecases.at_work import is_at_work, is_lost
from imaginem.usecases.audit.acting import note
from imaginem.usecases.jobs import photo_name, state_of_job
from imaginem.usecases.submit import check_open, job_id_of, submit_photo
from imaginem.usecases.unsent import withdraw

_DIGITS = (8, 16, 32)
"""How many digits of the hash an id has: more only where another photo has the shorter one."""
_BEING_SENT = timedelta(seconds=60)
"""For how long a claim without a run is taken for one whose photo is just being sent."""
# Parameters that sign an address, or let somebody in: they change from day to day. The first are
# of Azure (SAS), Amazon and Google, and mean it only beside a signature.
_SIGNATURES = frozenset({"sig", "signature", "x-amz-signature", "x-goog-signature"})
_SIGNED = frozenset(
    {"se", "sip", "ske", "skoid", "sks", "skt", "sktid", "skv", "sp", "spr", "sr", "srt", "ss"}
    | {"st", "sv", "awsaccesskeyid", "expires", "googleaccessid", "key-pair-id", "policy"}
)
_KEYS = frozenset({"token", "access_token", "key", "api_key", "apikey"})


class JobIdTaken(PermanentError):
    """Another photo has the id that a sender chose for a job."""


@dataclass(frozen=True)
class Wish:
    """A photo that is to become a job.

    Attributes:
        name: of its file, without folders; people are shown it.
        photo: the file's bytes, or an address.
        pipeline: names of the queues that the job visits.
        job_id: the sender's choice; empty for one made of name and content.
        again: send the job once more if the same photo's has ended.
        replace: take the chosen id from another photo.
        step_parameters: what is said to steps, by their names.
    """

    batch_id: str
    name: str
    photo: bytes | str
    pipeline: Sequence[str]
    job_id: str = ""
    again: bool = False
    replace: bool = False
    step_parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Admission:
    """The job of a photo.

    Attributes:
        run: id of the queue message that started it.
        sent: it was sent now; False if it was there already.
        state: how it stands; `queued` for one that was sent now.
        note: what the sender should know of the pipeline; empty if there is nothing.
    """

    key: JobKey
    run: str
    sent: bool
    state: str
    note: str = ""


def made_id(name: str, digest: str, digits: int = _DIGITS[0]) -> str:
    """Return the id of a photo's job: its name, and the first digits of its content's hash.

    Args:
        name: of the file, without folders.
        digest: as `photo_digest` returns it.
        digits: how many.
    """
    return f"{job_id_of(name)}-{digest[:digits]}"


def photo_digest(photo: bytes | str) -> str:
    """Return the SHA-256 of a photo's bytes, or of its address without what signs it."""
    if isinstance(photo, bytes):
        return hashlib.sha256(photo).hexdigest()
    _, _, query = photo.partition("#")[0].partition("?")
    given = parse_qsl(query, keep_blank_values=True)
    names = {name.lower() for name, _ in given}
    passing = _KEYS | _SIGNATURES | (_SIGNED if names & _SIGNATURES else frozenset())
    kept = [
        (name, value)
        for name, value in given
        if name.lower() not in passing and not name.lower().startswith(("x-amz-", "x-goog-"))
    ]
    address = without_query(photo) + (f"?{urlencode(kept, errors='replace')}" if kept else "")
    return hashlib.sha256(address.encode("utf-8", "surrogatepass")).hexdigest()


def free_id(services: DashboardServices, batch_id: str, name: str, digest: str) -> str:
    """Return the id of a photo's job, which no other photo of the batch has."""
    for job_id in _made_ids(name, digest):
        known = services.submissions.submission((batch_id, job_id))
        if known is None or known.photo in ("", digest):
            return job_id
    return made_id(name, digest, len(digest))


def _made_ids(name: str, digest: str) -> Iterator[str]:
    return (made_id(name, digest, digits) for digits in _DIGITS)


def admit(services: DashboardServices, wish: Wish) -> Admission:
    """Make a photo a job, unless it is one already.

    Raises:
        JobIdTaken: another photo has the id that was chosen, or is just getting it.
        InvalidMessage: an id or the pipeline is not valid.
        PermanentError: the batch was cancelled.
        PhotoBarred: the photo was erased for good.
    """
    check_open(services, wish.batch_id)
    note(services, AuditDeed.SUBMITTED, AuditSubject.BATCH, wish.batch_id)
    digest = photo_digest(wish.photo)
    if isinstance(wish.photo, bytes):  # one that has an address is looked at when it was fetched
        check_photo(services, wish.batch_id, lambda: digest, wish.name)
    if wish.job_id:
        return _admit_chosen(services, wish, (wish.batch_id, wish.job_id), digest)
    for job_id in _made_ids(wish.name, digest):
        key = (wish.batch_id, job_id)
        known = services.submissions.claim(key, digest, _told(wish))
        if known is None:
            return _send(services, wish, key, digest, None)
        if known.photo in ("", digest):  # earlier versions kept no hash but the one in the id
            return _same(services, wish, key, digest, known)
    raise JobIdTaken(f"{wish.name}: every id that it could have is another photo's")


def _admit_chosen(services: DashboardServices, wish: Wish, key: JobKey, digest: str) -> Admission:
    """Make a photo a job under the id that its sender chose."""
    known = services.submissions.submission(key)
    if known is None:
        # A job that came by a queue message has a row only; which photo it is for isn't known.
        if not wish.replace and read_row(services.log, key) is not None:
            raise _taken(key, None)
        known = services.submissions.claim(key, digest, _told(wish))
        if known is None:
            return _send(services, wish, key, digest, None)
    if known.photo == digest:
        return _same(services, wish, key, digest, known)
    being_sent = not known.run and datetime.now(UTC) - known.since < _BEING_SENT
    never_sent = not known.run and not being_sent and read_row(services.log, key) is None
    if not wish.replace and not never_sent:
        raise _taken(key, known)
    if being_sent or services.submissions.claim(key, digest, _told(wish), over=known) is not None:
        raise JobIdTaken(f"another photo is just being sent as job {key[1]}: try again in a minute")
    return _send(services, wish, key, digest, known)


def _taken(key: JobKey, known: Submission | None) -> JobIdTaken:
    whose = f" ({photo_name(known.parameters, key[1])})" if known else ""
    return JobIdTaken(
        f"job_id: {key[1]} in batch {key[0]} is the job of another photo{whose}: choose another "
        "id, or send replace=true"
    )


def _same(
    services: DashboardServices, wish: Wish, key: JobKey, digest: str, known: Submission
) -> Admission:
    """Tell that the photo is a job already; send it if it never was, or if that is wished."""
    row = read_row(services.log, key)
    # A claim without a run: its sender died, or is at it. Two runs of one photo do no harm.
    unsent = not known.run
    again = wish.again and not is_at_work(row, known)
    if unsent or again or is_lost(row, known, services.results.read(key)):
        return _send(services, wish, key, digest, known)
    return Admission(key, known.run, False, state_of_job(services, key))


def _told(wish: Wish) -> dict[str, str]:
    return {"original_name": wish.name}


def _send(
    services: DashboardServices, wish: Wish, key: JobKey, digest: str, before: Submission | None
) -> Admission:
    """Store a photo and send its job; if that fails, the id is free or its former owner's again."""
    try:
        run = submit_photo(
            services,
            key,
            wish.name,
            wish.photo,
            wish.pipeline,
            step_parameters=wish.step_parameters,
            photo_digest=digest,
            anew=wish.again and before is not None,
        )
    except Exception:
        if before is None:
            withdraw(services, key)
        else:
            services.submissions.submitted(key, before.run, before.parameters, before.photo)
        raise
    if before is not None and before.photo != digest and isinstance(wish.photo, bytes):
        _forget_replaced(services, key, digest)
    return Admission(key, run, True, "queued")


def _forget_replaced(services: DashboardServices, key: JobKey, digest: str) -> None:
    """Remove the photo that was replaced; what stays now goes when the job is erased."""
    try:
        forget_photos_but(services, key, digest)
    except StorageUnavailable:
        return
