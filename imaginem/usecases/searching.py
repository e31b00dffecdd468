"""Searching photos by what was found in them."""

from imaginem.ports import AuditDeed, AuditSubject, DashboardServices, PhotoFilter, PhotoPage
from imaginem.usecases.audit.acting import note


def find_photos(
    services: DashboardServices, wanted: PhotoFilter, cursor: str = "", limit: int = 48
) -> PhotoPage:
    """Return photos, newest first. What was asked for is not recorded: it may be a name.

    Raises:
        InvalidMessage: the cursor is not valid.
    """
    batch = (wanted.batch,) if wanted.batch else ()
    kind = AuditSubject.BATCH if batch else AuditSubject.PHOTOS
    note(services, AuditDeed.SEARCHED, kind, *batch)
    return services.catalogue.photos(wanted, cursor, limit)


def count_labels(
    services: DashboardServices, wanted: PhotoFilter, kind: str, limit: int = 50
) -> list[tuple[str, int]]:
    """Return the labels of photos with their counts: numbers, which show nobody."""
    return services.catalogue.labels(wanted, kind, limit)
