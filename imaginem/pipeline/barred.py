"""Photos that may not come back: looked for wherever a photo's bytes become known.

What is barred is asked of SQL each time, not remembered: a bar holds from the moment at which it is
committed. As long as nothing is barred in a batch's group, one query is all that it costs.
"""

import hashlib
from collections.abc import Callable

from imaginem.errors import Conflict, NotFound, PermanentError
from imaginem.images.limits import BYTE_LIMIT
from imaginem.ports import Services


class PhotoBarred(PermanentError):
    """A photo was erased for good, and is barred in its batch's group.

    Args:
        name: of the photo, as people know it.
        group: of the batch.
        sha256: of the photo's bytes.
    """

    def __init__(self, name: str, group: str, sha256: str) -> None:
        where = "this group" if group else "batches of no group"
        super().__init__(
            f"{name} was erased for good at somebody's wish, and is barred in {where}: an operator "
            "can lift that with `imaginem forget --photo FILE --lift`"
        )
        self.sha256 = sha256


def digest_of(photo: bytes) -> str:
    """Return the SHA-256 of a photo's bytes, by which it is barred."""
    return hashlib.sha256(photo).hexdigest()


def mark_of(services: Services, group: str, sha256: str) -> str:
    """Return what stands for a photo that is barred in a group."""
    return services.erased.mark("barred", group, sha256)


def check_photo(
    services: Services, batch_id: str, sha256: Callable[[], str], name: str = "the photo"
) -> bool:
    """Check that a photo may be in a batch.

    Args:
        services: know what is barred.
        batch_id: of the batch.
        sha256: returns that of the photo's bytes, in hexadecimal, or "" if there are none; only
            called where anything is barred.
        name: of the photo, for the error.

    Returns:
        Whether that is settled: where something is barred, a photo that is not there is not.

    Raises:
        PhotoBarred: it may not.
    """
    bars = services.barred.of_batch(batch_id)
    if not bars:
        return True
    digest, group = sha256(), bars[0].group
    if digest and mark_of(services, group, digest) in {bar.mark for bar in bars}:
        raise PhotoBarred(name, group, digest)
    return bool(digest)


def remove_barred(services: Services, container: str, name: str, sha256: str) -> None:
    """Remove a blob if it has the bytes of a photo that is barred."""
    try:
        found = services.blobs.stat(container, name)
        data = services.blobs.get(container, name, BYTE_LIMIT, etag=found.etag)
    except (NotFound, Conflict, PermanentError):  # it is gone, or another photo by now
        return
    if digest_of(data) == sha256:
        services.remains.note()
        services.blobs.delete(container, name, etag=found.etag)
