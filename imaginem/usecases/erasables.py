"""Every store that keeps something of a job, in the order in which it is erased."""

from collections.abc import Collection

from imaginem.names import blob_segment, job_prefix
from imaginem.pipeline.claimed_ids import ids_in
from imaginem.pipeline.gathering import GatheringJobs
from imaginem.pipeline.offload import CONTAINER as LARGE_MESSAGES
from imaginem.ports import (
    Blobs,
    DashboardServices,
    Drop,
    Drops,
    Erasable,
    JobKey,
    JobLog,
    PoisonEntry,
    PoisonLog,
    Remains,
)
from imaginem.usecases.face_traces import GalleryFaces
from imaginem.usecases.renditions import CONTAINER as THUMBNAILS

STILL_ON_DISK = (
    "It can't be reached any more, but its bytes may still lie in files of this machine. They go "
    "when Imaginem is next stopped or started, or with `imaginem compact` while it is stopped"
)


def erasables_of(services: DashboardServices) -> tuple[Erasable, ...]:
    """Return the stores that keep something of a job.

    The progress table comes last: as long as a job's row is there, the job can be named, and
    an erasure that was interrupted is done again.
    """
    settings = services.core_settings
    photos = settings.input_container
    containers = (
        photos,
        settings.faces_container,
        LARGE_MESSAGES,
        THUMBNAILS,
    )
    return (
        services.landing,  # first: what is landed would be put back
        DroppedPhotos(services.drops, services.blobs, photos),
        *(
            JobBlobs(services.blobs, name, services.drops if name == photos else None)
            for name in dict.fromkeys(containers)
        ),
        GalleryFaces(services),
        PoisonedMessages(services.poison),
        services.submissions,
        services.results,
        services.earlier_outputs,
        services.suppressed_faces,
        GatheringJobs(services.shared_state),
        services.ledger,
        ProgressRows(services.log),
    )


def still_on_disk(remains: Remains) -> str:
    """Return what an answer to an erasure says of this machine's disk; empty if nothing waits."""
    return STILL_ON_DISK if remains.waiting else ""


class JobBlobs:
    """A container's blobs: those in a job's folder, and the one that has the folder's name.

    Blobs elsewhere do not belong to the job, even if its message names them. Nor does a photo that
    somebody dropped into a folder of that name: it is another job's.

    Args:
        blobs: where they are.
        container: its name.
        drops: which photos were dropped there, if people drop any; `DroppedPhotos` comes first,
            so that only records of other jobs are left.
    """

    def __init__(self, blobs: Blobs, container: str, drops: Drops | None = None) -> None:
        self._blobs = blobs
        self._container = container
        self._drops = drops
        self.holds = (container,)

    def erase(self, key: JobKey) -> None:
        """Remove a job's blobs; job-1's prefix is job-10's too, whose blobs stay."""
        self._remove(self.of_job(key))

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Remove everything in a batch's folder."""
        self._remove(self.of_batch(batch_id))

    def of_job(self, key: JobKey) -> list[str]:
        """Return the names of a job's blobs."""
        folder = job_prefix(*key)
        photo = folder.removesuffix("/")
        names = self._blobs.list(self._container, photo)
        return self._own(
            key[0], [name for name in names if name == photo or name.startswith(folder)]
        )

    def of_batch(self, batch_id: str) -> list[str]:
        """Return the names of the blobs in a batch's folder."""
        return self._own(batch_id, self._blobs.list(self._container, f"{blob_segment(batch_id)}/"))

    def _own(self, batch_id: str, names: list[str]) -> list[str]:
        """Leave out dropped photos, which call their batch as the folder."""
        if not names or not self._drops:
            return names
        dropped = {drop.blob for drop in self._drops.of_batch(blob_segment(batch_id))}
        return [name for name in names if name not in dropped]

    def _remove(self, names: Collection[str]) -> None:
        for name in names:
            self._blobs.delete(self._container, name)


class DroppedPhotos:
    """The photos that people dropped, wherever they lie, and which job each started.

    A photo that was put in another one's place since is another job's, and stays.
    """

    holds = ("pipelinedrops",)  # `JobBlobs` answers for the container

    def __init__(self, drops: Drops, blobs: Blobs, container: str) -> None:
        self._drops, self._blobs, self._container = drops, blobs, container

    def erase(self, key: JobKey) -> None:
        """Remove a job's dropped photos."""
        for drop in self._drops.of_batch(key[0]):
            if drop.job_id == key[1]:
                self._remove(drop)

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Remove a batch's dropped photos."""
        for drop in self._drops.of_batch(batch_id):
            self._remove(drop)

    def _remove(self, drop: Drop) -> None:
        """Remove a photo, then its record, by which it is found if this is interrupted."""
        self._blobs.delete(self._container, drop.blob, etag=drop.etag)
        self._drops.remove(drop)


class PoisonedMessages:
    """The messages that could not be processed, and their bodies."""

    holds = ("pipelinepoison", f"{LARGE_MESSAGES}/!poison")

    def __init__(self, poison: PoisonLog) -> None:
        self._poison = poison

    def of_batch(self, batch_id: str) -> list[PoisonEntry]:
        """Return a batch's entries, including those that name no job."""
        return [entry for entry in self._poison.list() if batch_id in _batches_of(entry)]

    def of_job(self, key: JobKey) -> list[PoisonEntry]:
        """Return a job's entries."""
        return [entry for entry in self._poison.list() if key in _keys_of(entry)]

    def erase(self, key: JobKey) -> None:
        """Remove a job's entries."""
        self._drop(self.of_job(key))

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Remove a batch's entries."""
        self._drop(self.of_batch(batch_id))

    def _drop(self, entries: Collection[PoisonEntry]) -> None:
        for entry in entries:
            self._poison.drop(entry.queue, entry.id)


def _keys_of(entry: PoisonEntry) -> set[JobKey]:
    """Return the job of an entry, according to its columns and according to its body.

    Earlier versions wrote the batch `None` into the column when a body had
    `"batch_id": null`, which is the batch `default`.
    """
    return {(entry.batch_id, entry.job_id), ids_in(entry.body)}


def _batches_of(entry: PoisonEntry) -> set[str]:
    return {batch_id for batch_id, _ in _keys_of(entry)}


class ProgressRows:
    """The rows of `pipelinelogs`."""

    holds = ("pipelinelogs",)

    def __init__(self, log: JobLog) -> None:
        self._log = log

    def erase(self, key: JobKey) -> None:
        """Remove a job's row."""
        self._log.delete(key)

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Remove the rows of a batch's jobs."""
        for job_id in sorted(job_ids):
            self._log.delete((batch_id, job_id))
