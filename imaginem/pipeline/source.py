"""Where a job's photo is, and its bytes.

A photo in our own account is read with our credentials, from the input and faces
containers only. One from another server is fetched once, by the first step, and kept
in the input container; after that its address is kept without the query.
"""

from collections.abc import Iterable
from contextlib import suppress

from imaginem.errors import Conflict, NotFound, PermanentError, RetryableError
from imaginem.images.decoding import Photo
from imaginem.images.fetching import check_address
from imaginem.images.limits import BYTE_LIMIT
from imaginem.message import DroppedPhoto, JobMessage
from imaginem.names import is_own_photo, job_prefix, own_photo_metadata
from imaginem.pipeline.barred import PhotoBarred, check_photo, digest_of
from imaginem.pipeline.seals import is_photo_sealed, with_sealed_photo
from imaginem.ports import BlobInfo, Blobs, JobKey, Services
from imaginem.redaction import without_query

_NAME_DIGITS = 32


def ingest(message: JobMessage, services: Services, *, last_try: bool = False) -> JobMessage:
    """Return the message with its photo in our account, fetching it if it is elsewhere.

    A permanent failure is recorded in the message, so that no later step tries again. Once a run,
    the photo's bytes are compared with those that are barred.

    Args:
        message: of the job.
        services: where the photo is fetched with and kept.
        last_try: a retryable failure is recorded as permanent.

    Raises:
        PhotoBarred: the photo was erased for good; a fetched one may lie in the job's folder.
        RetryableError: the other server, or SQL, may answer later.
    """
    url = message.job_definition.input.image_url
    kept = message.job_definition.bookkeeping
    try:
        if kept.image_error:
            pass
        elif services.blobs.locate(url) is None and not _kept_copy(message, services):
            check_address(url)
            message = message.noting(image=_fetched(services, message.key, url))
            message = with_sealed_photo(message, photo_blob(message, services), services)
        else:
            message = _settled(message, services)
    except PhotoBarred:
        raise
    except PermanentError as problem:
        message = message.noting(image_error=str(problem))
    except RetryableError as problem:
        if not last_try:
            raise
        message = message.noting(image_error=f"{problem}; tried in vain, send the job again later")
    return message.with_image_url(without_query(url))


def _fetched(services: Services, key: JobKey, url: str) -> str:
    """Fetch a photo and keep it; return its address in our account.

    It is compared with what is barred twice: before it is kept, and once it can be found by whoever
    bars it meanwhile and erases what there is.
    """
    data = services.fetch(url)
    check_photo(services, key[0], lambda: digest_of(data))
    address = keep_photo(services, key, data)
    check_photo(services, key[0], lambda: digest_of(data))
    return address


def _settled(message: JobMessage, services: Services) -> JobMessage:
    """Check that the photo in our account is not barred; return the message that says so."""
    place = photo_blob(message, services)
    if is_photo_sealed(message, place, services):
        return message
    if not check_photo(services, message.key[0], lambda: _digest_in_place(message, services)):
        return message  # it is not there yet
    return with_sealed_photo(message, place, services)


def _digest_in_place(message: JobMessage, services: Services) -> str:
    """Return the SHA-256 of the photo in our account; empty if no step can read it now."""
    blob = photo_blob(message, services)
    if blob is None or blob[0] not in photo_containers(services):
        return ""
    try:
        dropped = message.job_definition.bookkeeping.dropped
        return digest_of(photo_file(services.blobs, blob, dropped))
    except (NotFound, PermanentError):
        return ""


def place_of_photo(services: Services, key: JobKey, data: bytes) -> str:
    """Return the address at which `keep_photo` will put a photo of a job.

    Raises:
        PermanentError: its names are taken by blobs that are not ours.
    """
    container = services.core_settings.input_container
    for name in _names(key, data):
        if _is_ours(services, name):
            return services.blobs.address(container, name)
    raise _taken(services, key)


def keep_photo(services: Services, key: JobKey, data: bytes) -> str:
    """Put a photo into its job's folder in the input container; return its address.

    It starts no job there. Its name follows from its bytes, so that another photo of the job never
    takes its place, nor that of a photo which somebody dropped.

    Raises:
        PermanentError: its names are taken by blobs that are not ours.
    """
    container = services.core_settings.input_container
    for name in _names(key, data):
        own = own_photo_metadata(container, name)
        try:
            return _put(services, name, data, own, only_new=True)
        except Conflict:
            if _is_ours(services, name):  # it may be half of what an emulator saved: write it
                return _put(services, name, data, own)
    raise _taken(services, key)


def _names(key: JobKey, data: bytes) -> tuple[str, str]:
    """Return the names that a job's photo may have, the first free one of which it gets."""
    folder = job_prefix(*key)
    short, whole = names_of_digest(digest_of(data))
    return f"{folder}{short}", f"{folder}{whole}"


def names_of_digest(sha256: str) -> tuple[str, str]:
    """Return the names in its job's folder that a photo with this SHA-256 may have."""
    return sha256[:_NAME_DIGITS], sha256


def _taken(services: Services, key: JobKey) -> PermanentError:
    folder = f"{services.core_settings.input_container}/{job_prefix(*key)}"
    return PermanentError(f"{folder} has blobs of others with this photo's names")


def _put(
    services: Services, name: str, data: bytes, own: dict[str, str], *, only_new: bool = False
) -> str:
    container, kind = services.core_settings.input_container, "application/octet-stream"
    return services.blobs.put(container, name, data, kind, metadata=own, only_new=only_new)


def _is_ours(services: Services, name: str) -> bool:
    """Tell whether a blob is ours, or there is none."""
    container = services.core_settings.input_container
    try:
        return is_own_photo(container, name, services.blobs.stat(container, name).metadata)
    except NotFound:
        return True


def forget_photos_but(services: Services, key: JobKey, digest: str) -> None:
    """Remove the photos that we keep of a job, but the one whose SHA-256 is given."""
    remove_photos(services, own_photos(services, key), digest)


def own_photos(services: Services, key: JobKey) -> list[BlobInfo]:
    """Return the photos that we keep of a job, as they are now."""
    container, folder = services.core_settings.input_container, job_prefix(*key)
    photo = folder.removesuffix("/")  # where earlier versions kept it
    found = []
    for name in services.blobs.list(container, photo):
        if name != photo and not name.startswith(folder):
            continue  # job-1 is the beginning of job-10
        with suppress(NotFound):
            found.append(services.blobs.stat(container, name))
    return [info for info in found if is_own_photo(container, info.name, info.metadata)]


def remove_photos(services: Services, photos: Iterable[BlobInfo], digest: str = "") -> None:
    """Remove photos, unless they were written again since, but the one whose SHA-256 is given."""
    container = services.core_settings.input_container
    for info in photos:
        if info.name.rpartition("/")[2] not in names_of_digest(digest):
            services.blobs.delete(container, info.name, etag=info.etag)


def _prefix(message: JobMessage) -> str:
    return job_prefix(*message.key)


def _kept_copy(message: JobMessage, services: Services) -> tuple[str, str] | None:
    """Return container and name of our copy, if the recorded address is in this job's folder."""
    blob = services.blobs.locate(message.job_definition.bookkeeping.image)
    if blob and blob[0] == services.core_settings.input_container:
        return blob if blob[1].startswith(_prefix(message)) else None
    return None


def photo_blob(message: JobMessage, services: Services) -> tuple[str, str] | None:
    """Return container and name of the photo in our account; None if it is not there."""
    url = without_query(message.job_definition.input.image_url)
    return _kept_copy(message, services) or services.blobs.locate(url)


def photo_url(message: JobMessage, services: Services) -> str:
    """Return the photo's address in our account; empty if it is in no container for photos."""
    if message.job_definition.bookkeeping.image_error:
        return ""
    if _kept_copy(message, services):
        return message.job_definition.bookkeeping.image
    url = without_query(message.job_definition.input.image_url)
    blob = services.blobs.locate(url)
    return url if blob and blob[0] in photo_containers(services) else ""


def photo_containers(services: Services) -> tuple[str, str]:
    """Return the containers that photos are read from."""
    return services.core_settings.input_container, services.core_settings.faces_container


def photo_file(blobs: Blobs, blob: tuple[str, str], dropped: DroppedPhoto | None) -> bytes:
    """Return a photo's file: of a dropped photo the one that was dropped, never a newer one.

    Raises:
        NotFound: there is no such blob.
        PermanentError: it was replaced by another photo, or is too large.
    """
    if dropped is None or dropped.source != "/".join(blob):
        return blobs.get(*blob, BYTE_LIMIT)
    try:
        return blobs.get(*blob, BYTE_LIMIT, etag=dropped.etag)
    except Conflict as problem:
        data = blobs.get(*blob, BYTE_LIMIT)
        if digest_of(data) == dropped.sha256:
            return data  # the same photo once more
        raise PermanentError(f"{problem}: the photo that is there now is another job's") from None


def read_photo(message: JobMessage, services: Services) -> Photo:
    """Return the job's photo, decoded.

    Raises:
        PermanentError: it can't be read or is not a photo; says why.
    """
    blob, url = _place(message, services), without_query(message.job_definition.input.image_url)
    run = message.job_definition.bookkeeping.run
    key = f"{run} {'/'.join(blob)}"  # during one run of a job its photo stays the same
    dropped = message.job_definition.bookkeeping.dropped
    try:
        return services.photos.photo(key, lambda: photo_file(services.blobs, blob, dropped))
    except NotFound:
        raise PermanentError(
            f"there is no photo at {url}: upload it, then send the job again"
        ) from None


def photo_sha256(message: JobMessage, services: Services) -> str:
    """Return the SHA-256 of the photo's file, which is not decoded; empty if there is none."""
    try:
        blob = _place(message, services)
        data = photo_file(services.blobs, blob, message.job_definition.bookkeeping.dropped)
    except (NotFound, PermanentError):
        return ""
    return digest_of(data)


def _place(message: JobMessage, services: Services) -> tuple[str, str]:
    """Return container and name of the job's photo.

    Raises:
        PermanentError: it was not fetched, or may not be read; says why.
    """
    failure = message.job_definition.bookkeeping.image_error
    if failure:
        raise PermanentError(failure)
    url = without_query(message.job_definition.input.image_url)
    blob = photo_blob(message, services)
    if blob is None:
        raise PermanentError(f"{url} was not fetched: send the job again")
    container, _ = blob
    allowed = photo_containers(services)
    if container not in allowed:
        raise PermanentError(
            f"image_url is in the container {container!r}, and photos are read from "
            f"{' and '.join(allowed)} only"
        )
    return blob
