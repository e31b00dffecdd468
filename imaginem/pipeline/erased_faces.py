"""Faces that were erased from a photo that stays: no step sees them, and no output lists them.

Every step execution asks before its step runs and after it, so that faces which were detected
before the erasure go from the message, and those that are detected later never get into it.
What the job has of them elsewhere is noted as unfinished, and goes when the job has ended
(`usecases/forget_face.py`). Where no face of the group was ever erased, one look into SQL says so.
"""

import uuid
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from imaginem.errors import PermanentError
from imaginem.message import JobMessage
from imaginem.pipeline.offload import expand, is_linked
from imaginem.pipeline.source import photo_sha256
from imaginem.ports import Blobs, Box, JobKey, Services, SuppressedFace
from imaginem.ports.erasing import plain_name, without_faces
from imaginem.ports.face_places import place_in_file

_FACE_IDS = ("faceid", "matchedfaceid")
_EDGES = ("left", "top", "width", "height")


def without_erased_faces(message: JobMessage, services: Services) -> JobMessage:
    """Return a message whose outputs name no face that was erased."""
    outputs = message.job_output
    named = any(is_linked(output) or faces_in(output) for output in outputs.values())
    if not named or not services.suppressed_faces.is_any(message.job_definition.batch_id):
        return message
    whole = _expanded(outputs, message.key, services.blobs)
    places = faces_in(whole)
    gone = _erased(places, places, message, services)
    kept = without_faces(whole, gone)
    changed = {name: kept[name] for name in whole if kept[name] != whole[name]}
    return message.with_outputs({**outputs, **changed}) if changed else message


def without_erased_in(
    output: Any, step: str, message: JobMessage, services: Services, digest: str = ""
) -> Any:
    """Return a step's output without the faces that were erased, the new ones of it too.

    Args:
        output: a JSON value.
        step: its name.
        message: that the step ran for.
        services: where erased faces are known.
        digest: SHA-256 of the photo's file, if it is known.
    """
    found = faces_in(output)
    if not found or not services.suppressed_faces.is_any(message.job_definition.batch_id):
        return output
    before = faces_in(_expanded(message.job_output, message.key, services.blobs))
    places = {face_id: box or before.get(face_id) for face_id, box in found.items()}
    gone = _erased(places, before, message, services, digest)
    return without_faces({step: output}, gone)[step]


def _erased(
    places: Mapping[uuid.UUID, Box | None],
    before: Collection[uuid.UUID],
    message: JobMessage,
    services: Services,
    digest: str = "",
) -> set[uuid.UUID]:
    """Return which faces were erased.

    What earlier steps knew of may be elsewhere too: then the erasure is noted as unfinished. A
    match has no box: it names a face of another job.

    Args:
        places: ids of faces, with their boxes.
        before: ids of those that earlier steps knew.
        message: of the job.
        services: where erased faces are known.
        digest: SHA-256 of the photo's file, if it is known.
    """
    if not digest and any(places.values()):
        digest = photo_sha256(message, services)
    gone = services.suppressed_faces.among(message.job_definition.batch_id, digest, places)
    for face_id in gone.intersection(before):
        if (box := places[face_id]) is not None:
            face = SuppressedFace(face_id, message.key, digest, box)
            services.suppressed_faces.suppress(face)
    return gone


def faces_in(value: Any) -> dict[uuid.UUID, Box | None]:
    """Return the ids of faces that a JSON value names, with the places of those detected in it.

    A place is as of `place_in_file`.
    """
    found: dict[uuid.UUID, Box | None] = {}
    for face_id, box in _named(value):
        found[face_id] = box or found.get(face_id)
    return found


def _named(value: Any) -> Iterator[tuple[uuid.UUID, Box | None]]:
    if isinstance(value, list):
        for item in value:
            yield from _named(item)
    if not isinstance(value, Mapping):
        return
    fields = {plain_name(str(name)): item for name, item in value.items()}
    for name in _FACE_IDS:
        if (face_id := _as_id(fields.get(name))) is not None:
            box, page = _as_box(fields.get("facerectangle")), fields.get("page")
            if box and isinstance(page, int):
                box = place_in_file(box, page)
            yield face_id, box
    for item in value.values():
        yield from _named(item)


def _as_id(value: Any) -> uuid.UUID | None:
    try:
        return uuid.UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _as_box(value: Any) -> Box | None:
    if not isinstance(value, Mapping):
        return None
    fields = {plain_name(str(name)): item for name, item in value.items()}
    edges = [fields.get(name) for name in _EDGES]
    if not all(isinstance(edge, int | float) for edge in edges):
        return None
    left, top, width, height = (int(edge) for edge in edges if edge is not None)
    return left, top, width, height


def _expanded(outputs: Mapping[str, Any], key: JobKey, blobs: Blobs) -> dict[str, Any]:
    """Return outputs with the linked ones read, but those whose blobs are gone."""
    whole = {}
    for name, output in outputs.items():
        try:
            whole[name] = expand(output, key, blobs)
        except PermanentError:
            whole[name] = output
    return whole
