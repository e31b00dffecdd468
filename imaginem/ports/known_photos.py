"""What SQL knows of the photos that jobs are for."""

from typing import Protocol

from imaginem.ports.storage import JobKey


class KnownPhotos(Protocol):
    """Which job is for which photo, whatever table has noted it."""

    def jobs_with(self, sha256: str) -> set[JobKey]:
        """Return the jobs of which SQL says that their photo's bytes have this SHA-256."""

    def addresses(self, batch_id: str) -> dict[str, str]:
        """Return the address in our storage of each photo that has a result, by job id."""
