"""Erasing one face of a photo that stays.

It is committed first that the face is suppressed: from then on no step finds, cuts out or enrols
it, in this photo or in the same one that is sent again (`pipeline/erased_faces.py`). Then it goes
from every store, from the gallery last: as long as it is there, an erasure that was interrupted
can be done again by the face's id. What a job at work still writes goes when the job has ended.
"""

import uuid
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from pydantic_core import from_json, to_json

from imaginem.errors import InvalidMessage, NotFound, PermanentError
from imaginem.names import job_prefix
from imaginem.pipeline.erased_faces import faces_in
from imaginem.pipeline.offload import CONTAINER as LARGE_MESSAGES
from imaginem.pipeline.offload import LINKED_LIMIT, expand
from imaginem.pipeline.progress_row import read_row
from imaginem.pipeline.resuming import message_from_row
from imaginem.pipeline.source import photo_sha256
from imaginem.ports import (
    AuditDeed,
    AuditSubject,
    Box,
    DashboardServices,
    JobKey,
    SuppressedFace,
)
from imaginem.ports.erasing import without_names
from imaginem.ports.suppressed_faces import is_in_one_of
from imaginem.usecases.access import Caller, hidden_batches
from imaginem.usecases.audit.acting import note
from imaginem.usecases.audit.chain import hash_of
from imaginem.usecases.face_messages import forget_in_submission, poisoned_without
from imaginem.usecases.face_traces import (
    forget_elsewhere,
    forget_in_outputs,
)
from imaginem.usecases.kept_receipts import finalise, find_receipt, issue, new_id
from imaginem.usecases.receipts import Receipt, receipt
from imaginem.usecases.renditions import original

_RECEIPT = "face-receipt-"
"""Entries of the shared state: receipts to be made final once their face is gone."""
_BY_JOB = (
    " in the gallery: if it was found in a photo but never enrolled, name its batch and job, too "
    "(`--batch` and `--job`, in the API `?batch=…&job=…`)"
)
_LONGEST_EXECUTION = timedelta(minutes=15)
"""No step works longer: functions are given ten minutes (`host.json`)."""


def forget_face(
    services: DashboardServices, face_id: uuid.UUID, caller: Caller, key: JobKey | None = None
) -> Receipt:
    """Erase a face for good, also of a job at work; return the receipt. Its photo stays.

    Args:
        services: where it is erased.
        face_id: of the face.
        caller: who may see its batch.
        key: of its job, in whose outputs it is looked for, too: not every face is enrolled.
            None: it is looked for in the gallery alone.

    Raises:
        NotFound: there is no such face, or it is hidden from the caller.
    """
    face = _found(services, face_id, caller, key)
    note(services, AuditDeed.ERASED, AuditSubject.FACE, str(face_id))
    before = _contents(services, face)
    is_finished = _erase(services, face)
    done = receipt(0, before, _contents(services, face))
    sweep = "" if is_finished else new_id()
    if sweep:
        at = datetime.now(UTC).isoformat()
        services.shared_state.write(_RECEIPT + sweep, f"{face_id} {at}", "")
    subject = hash_of(services.installation_key, AuditSubject.FACE, str(face_id))
    return issue(services, done, AuditSubject.FACE, subject, sweep=sweep, wait=_LONGEST_EXECUTION)


def finish_faces(
    services: DashboardServices, now: datetime | None = None, *, at_rest: bool = False
) -> None:
    """Go on with the erasures of faces that are not finished, and make their receipts final.

    Args:
        services: where they are erased.
        now: the moment.
        at_rest: nothing is at work, and no message waits: a job that has ended writes no more.
    """
    waiting, left = set(), dict[str, Counter[str]]()
    for face in services.suppressed_faces.unfinished():
        if _erase(services, face, at_rest=at_rest):
            left[str(face.face_id)] = _contents(services, face)
        else:
            waiting.add(str(face.face_id))
    moment = now or datetime.now(UTC)
    for name, (text, _) in services.shared_state.list(_RECEIPT).items():
        face_id, _, at = text.partition(" ")
        if face_id in waiting:
            continue
        try:
            found = find_receipt(services, name.removeprefix(_RECEIPT))
            # Without its job, all was removed before: the timer was interrupted since.
            finalise(services, found, moment, left.get(face_id, {}))
        except NotFound:  # it is being issued, or that was interrupted
            if moment < datetime.fromisoformat(at) + _LONGEST_EXECUTION:
                continue
        services.shared_state.remove(name)


def erase_suppressed(services: DashboardServices, keys: Collection[JobKey]) -> int:
    """Erase the faces of jobs which a restored backup has brought back; return how many."""
    count = 0
    for key in sorted(keys):
        if not services.suppressed_faces.is_any(key[0]):
            continue
        ids = dict.fromkeys(face.face_id for face in services.gallery.faces_of(key))
        ids |= dict.fromkeys(_faces_of(services, key))  # not every pipeline enrols them
        for face_id in services.suppressed_faces.among(key[0], "", ids) if ids else ():
            face = _enrolled(services, face_id) or _detected(services, face_id, key)
            if face is not None and face.key == key:
                _erase(services, face)
                count += 1
    return count


def _erase(services: DashboardServices, face: SuppressedFace, *, at_rest: bool = False) -> bool:
    """Remove a face from every store; tell whether that is finished: nobody can write of it."""
    services.remains.note()  # before anything goes, should this be interrupted
    services.suppressed_faces.suppress(face)
    key, ids = face.key, _ids_of(services, face)
    is_last = _is_settled(services, key, at_rest=at_rest)
    names = {str(face_id) for face_id in ids}
    for container, blob in _pictures(services, key, names):
        services.blobs.delete(container, blob)
    for blob, value in _large_outputs(services, key, names):
        data = to_json(without_names(value, names))
        services.blobs.put(LARGE_MESSAGES, blob, data, "application/json")
    forget_elsewhere(services, ids, [key])
    forget_in_outputs(services, key, ids)
    forget_in_submission(services, key, ids)
    for entry in poisoned_without(services, key, ids):
        services.poison.correct(entry)
    services.gallery.remove(list(ids))
    if is_last:
        services.suppressed_faces.finish(face.face_id)
    services.remains.wipe()
    return is_last


def _ids_of(services: DashboardServices, face: SuppressedFace) -> set[uuid.UUID]:
    """Return the face's id, and those that other detectors' runs of the job gave it."""
    earlier = [each.job_output for each in services.earlier_outputs.of_job(face.key)]
    faces = _faces_of(services, face.key) | faces_in(earlier)
    places = [face.box] if face.box else []
    return {face.face_id} | {other for other, box in faces.items() if is_in_one_of(box, places)}


def _found(
    services: DashboardServices, face_id: uuid.UUID, caller: Caller, key: JobKey | None
) -> SuppressedFace:
    """Return a face of the gallery, of a job's outputs, or one whose erasure was interrupted.

    Raises:
        NotFound: there is none, or it is hidden from the caller.
    """
    face = (
        _enrolled(services, face_id)
        or (_detected(services, face_id, key) if key is not None else None)
        or next((e for e in services.suppressed_faces.unfinished() if e.face_id == face_id), None)
    )
    is_other = face is not None and key not in (None, face.key)
    if face is None or is_other or hidden_batches(services, [face.key[0]], caller):
        raise NotFound(f"there is no face {face_id}{_BY_JOB if key is None else ''}")
    return face


def _enrolled(services: DashboardServices, face_id: uuid.UUID) -> SuppressedFace | None:
    owner = services.gallery.owners([face_id]).get(face_id)
    if owner is None:
        return None
    key = (owner.batch_id, owner.job_id)
    digest = owner.photo_sha256 or _photo_sha256(services, key)
    return SuppressedFace(face_id, key, digest, owner.rectangle)


def _detected(
    services: DashboardServices, face_id: uuid.UUID, key: JobKey
) -> SuppressedFace | None:
    """Return a face that was detected in a job's photo, whether or not it was enrolled."""
    faces = _faces_of(services, key)
    if face_id not in faces:
        return None
    return SuppressedFace(face_id, key, _photo_sha256(services, key), faces[face_id])


def _faces_of(services: DashboardServices, key: JobKey) -> dict[uuid.UUID, Box | None]:
    result, row = services.results.read(key), read_row(services.log, key)
    outputs = dict(result.job_output) if result else {}
    texts = [row.output_of(name) for name in row.pipeline] if row else []
    for number, text in enumerate(text for text in texts if text):
        try:
            outputs[f"step {number}"] = expand(from_json(text), key, services.blobs)
        except (ValueError, PermanentError):
            continue
    faces = faces_in(outputs)
    return {face_id: box for face_id, box in faces.items() if box is not None}


def _photo_sha256(services: DashboardServices, key: JobKey) -> str:
    """Return the SHA-256 of a job's photo; empty if it is not here any more."""
    row, result = read_row(services.log, key), services.results.read(key)
    try:
        if row is not None and row.pipeline:
            return photo_sha256(message_from_row(row, services, row.pipeline[0]), services)
        return sha256(original(services, result)).hexdigest() if result else ""
    except (NotFound, PermanentError, InvalidMessage):
        return ""


def _is_settled(services: DashboardServices, key: JobKey, *, at_rest: bool) -> bool:
    """Tell whether no execution of a job can be at work any more."""
    row = read_row(services.log, key)
    if row is None:
        return services.submissions.submission(key) is None
    if at_rest or not row.has_ended or row.updated is None:
        return at_rest and row.has_ended
    return datetime.now(UTC) - row.updated > _LONGEST_EXECUTION


def _contents(services: DashboardServices, face: SuppressedFace) -> Counter[str]:
    """Return how many entries of each store of the job name a face."""
    key, ids, found = face.key, _ids_of(services, face), Counter[str]()
    names = {str(face_id) for face_id in ids}
    result, row = services.results.read(key), read_row(services.log, key)
    found["face"] += len(services.gallery.owners(list(ids)))
    found["face_match"] += len(services.gallery.matches_of(list(ids)))
    for container, _ in _pictures(services, key, names):
        found[container] += 1
    found[LARGE_MESSAGES] += sum(1 for _ in _large_outputs(services, key, names))
    found["pipelinepoison"] += len(poisoned_without(services, key, ids))
    found["pipeline_output"] += result is not None and _has_one(names, result.job_output)
    earlier = services.earlier_outputs.of_job(key)
    found["earlier_output"] += sum(_has_one(names, each.job_output) for each in earlier)
    found["submission"] += _has_one(names, services.submissions.message(key))
    found["pipelinelogs"] += row is not None and _has_one(names, row.as_json())
    return +found


def _has_one(names: Collection[str], value: Any) -> bool:
    text = value if isinstance(value, str) else to_json(value, fallback=str).decode()
    return any(name in text for name in names)


def _pictures(
    services: DashboardServices, key: JobKey, names: Collection[str]
) -> list[tuple[str, str]]:
    """Return containers and names of a face's pictures, whichever step cut them out."""
    container, folder = services.core_settings.faces_container, job_prefix(*key)
    blobs = services.blobs.list(container, folder)
    return [(container, blob) for blob in blobs if _has_one(names, blob[len(folder) :])]


def _large_outputs(
    services: DashboardServices, key: JobKey, names: Collection[str]
) -> Iterator[tuple[str, Any]]:
    """Yield the large outputs that name a face; they are put right in their places.

    A message that is on its way, or a row, is linked to them: their names stay.
    """
    for blob in services.blobs.list(LARGE_MESSAGES, job_prefix(*key)):
        try:
            text = services.blobs.get(LARGE_MESSAGES, blob, LINKED_LIMIT).decode()
            value = from_json(text)
        except (NotFound, ValueError):
            continue
        if _has_one(names, text):
            yield blob, value
