"""Finds the jobs whose photo has exactly the same bytes.

What is recorded of a photo is believed: its SHA-256 in SQL, in the records of dropped photos, in
the landing, and in the names under which we keep photos. Where nothing is recorded, blobs of the
same size are read and compared.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from pydantic_core import from_json

from imaginem.errors import InvalidMessage, NotFound, PermanentError
from imaginem.images.limits import BYTE_LIMIT
from imaginem.names import is_own_photo, job_prefix
from imaginem.pipeline.barred import digest_of
from imaginem.pipeline.open_batches import NotedBatches
from imaginem.pipeline.progress_row import ProgressRow
from imaginem.pipeline.row_names import PHOTO_PROPERTIES
from imaginem.pipeline.source import names_of_digest, photo_containers
from imaginem.ports import BlobInfo, DashboardServices, JobKey, LandedJob
from imaginem.usecases.refused_drops import batch_of_blob

_SHA256 = re.compile("[0-9a-f]{64}")
_OUR_NAME = re.compile("([0-9a-f]{32}){1,2}")  # as `names_of_digest` makes them
_PAGE = 100


@dataclass(frozen=True)
class SoughtPhoto:
    """A photo that is looked for.

    Attributes:
        sha256: of its bytes, in hexadecimal.
        size: in bytes; None if only the hash is known: then every blob without a record is read.
    """

    sha256: str
    size: int | None = None


def sought(photo: bytes) -> SoughtPhoto:
    """Return what a photo's file is looked for by."""
    return SoughtPhoto(digest_of(photo), len(photo))


def sought_by_hash(text: str) -> SoughtPhoto:
    """Return what a photo is looked for by of which only the SHA-256 is known.

    Raises:
        InvalidMessage: the text is none.
    """
    sha256 = text.strip().lower()
    if not _SHA256.fullmatch(sha256):
        raise InvalidMessage("sha256: write the SHA-256 of the photo's file, 64 digits of 0-9, a-f")
    return SoughtPhoto(sha256)


Places = Mapping[tuple[str, str], JobKey | None]
"""Blobs with a photo's bytes by container and name, each with the job that its drop started."""


def jobs_with_photo(
    services: DashboardServices,
    photo: SoughtPhoto,
    visible: Callable[[Collection[str]], set[str]],
) -> list[JobKey]:
    """Return the jobs whose photo is this one, those at work included.

    Args:
        services: where to look.
        photo: what is looked for.
        visible: returns those of some batches that count.
    """
    places, kept = _look_at_blobs(services, photo)
    found = {
        *services.known_photos.jobs_with(photo.sha256),
        *(job.key for job in services.landing.jobs() if _sha256_of(job) == photo.sha256),
        *(job for job in places.values() if job is not None),
        *kept,
    }
    folders = {unquote(name.partition("/")[0]) for _, name in places}
    batches = visible({*_batches(services), *(batch_id for batch_id, _ in found), *folders})
    found = {key for key in found if key[0] in batches}
    for batch_id in sorted(batches):
        found |= _jobs_of_batch(services, batch_id, photo, places)
    return sorted(found)


def _batches(services: DashboardServices) -> Iterator[str]:
    """Yield the batches that SQL or the watchdog knows."""
    yield from NotedBatches(services.shared_state).noted()
    cursor, more = "", True
    while more:
        page = services.batches.batches(None, cursor, _PAGE)
        yield from (batch.batch_id for batch in page.batches)
        cursor, more = page.cursor, bool(page.cursor)


def _look_at_blobs(services: DashboardServices, photo: SoughtPhoto) -> tuple[Places, set[JobKey]]:
    """Return the blobs that have a photo's bytes, and the jobs that we keep some of them for."""
    places: dict[tuple[str, str], JobKey | None] = {}
    kept: set[JobKey] = set()
    for container in dict.fromkeys(photo_containers(services)):
        for blob in services.blobs.scan(container):
            own = is_own_photo(container, blob.name, blob.metadata)
            if not _is_same(services, container, blob, photo, own=own):
                continue
            places[container, blob.name] = None if own else _job_of_drop(services, container, blob)
            if own and (key := _job_of_folder(blob.name)) is not None:
                kept.add(key)
    return places, kept


def _is_same(
    services: DashboardServices, container: str, blob: BlobInfo, photo: SoughtPhoto, *, own: bool
) -> bool:
    name = blob.name.rpartition("/")[2]
    if own and _OUR_NAME.fullmatch(name):
        return name in names_of_digest(photo.sha256)
    if blob.size > BYTE_LIMIT or photo.size not in (None, blob.size):
        return False
    try:
        return digest_of(services.blobs.get(container, blob.name, BYTE_LIMIT)) == photo.sha256
    except (NotFound, PermanentError):  # it went, or grew, meanwhile
        return False


def _job_of_folder(name: str) -> JobKey | None:
    """Return the job in whose folder we keep a photo; None if the folder's name was cut."""
    batch, job = (*name.split("/"), "")[:2]
    key = unquote(batch), unquote(job)
    return key if all(key) and name.startswith(job_prefix(*key)) else None


def _job_of_drop(services: DashboardServices, container: str, blob: BlobInfo) -> JobKey | None:
    if container != services.core_settings.input_container:
        return None
    drop = services.drops.read(batch_of_blob(blob.name), blob.name)
    return (drop.batch_id, drop.job_id) if drop and drop.etag == blob.etag else None


def _sha256_of(job: LandedJob) -> str:
    return job.photo.sha256 if job.photo else ""


def _jobs_of_batch(
    services: DashboardServices, batch_id: str, photo: SoughtPhoto, places: Places
) -> set[JobKey]:
    """Return the jobs of a batch whose row or result says that they are for this photo."""
    entries = services.log.batch(batch_id, only=PHOTO_PROPERTIES)
    rows = {row.job_id: row for row in map(ProgressRow, entries)}
    found = {row.key for row in rows.values() if _is_of_row(services, row, photo, places)}
    for job_id, address in services.known_photos.addresses(batch_id).items():
        key, row = (batch_id, job_id), rows.get(job_id)
        if row is not None and row.dropped is not None:
            continue  # the row knows which photo it was; another one may lie there by now
        place = services.blobs.locate(address)
        dropped_for = places.get(place) if place and row is None else None
        if dropped_for in (None, key) and _is_at(services, key, address, photo, places):
            found.add(key)
    return found


def _is_of_row(
    services: DashboardServices, row: ProgressRow, photo: SoughtPhoto, places: Places
) -> bool:
    if row.dropped is not None and row.dropped.sha256:
        return row.dropped.sha256 == photo.sha256
    addresses = (_copy_of(row), row.image_url)
    return any(_is_at(services, row.key, address, photo, places) for address in addresses)


def _copy_of(row: ProgressRow) -> str:
    """Return the address of our copy of a photo from elsewhere; empty if there is none."""
    try:
        return str(from_json(row.photo)["image"])
    except (ValueError, KeyError, TypeError):
        return ""


def _is_at(
    services: DashboardServices, key: JobKey, address: str, photo: SoughtPhoto, places: Places
) -> bool:
    """Tell whether a photo lies, or as the blob's name tells lay, at a job's address."""
    place = services.blobs.locate(address) if address else None
    if place is None or place in places:
        return place is not None
    container, name = place
    own = [job_prefix(*key) + each for each in names_of_digest(photo.sha256)]
    return container == services.core_settings.input_container and name in own
