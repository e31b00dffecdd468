"""Drops: photos that somebody put into the input container, each with the job that it started."""

import hashlib
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Drop:
    """The latest photo that was dropped under a blob's name.

    Attributes:
        batch_id: batch of its job, which the blob's folder names.
        blob: name of the blob in the input container.
        etag: of the blob as it was dropped.
        job_id: its job.
        sha256: of its bytes, in hexadecimal; empty for a drop that was given up unread.
        size: in bytes.
        sent: its job is on a queue, or can't be sent; False as long as that may not have happened.
        replaced: job and ETag of the photo that lay there before, while its job has not been told.
        fence: of the record as it was read; empty for one that is not written yet.
    """

    batch_id: str
    blob: str
    etag: str
    job_id: str
    sha256: str
    size: int = 0
    sent: bool = False
    replaced: tuple[str, str] | None = None
    fence: str = ""

    @property
    def run(self) -> str:
        """Id of the run that it starts: the same however often the drop is reported."""
        return run_of_drop(self.blob, self.etag)


def run_of_drop(blob: str, etag: str) -> str:
    """Return the id of the run that a dropped blob starts."""
    text = f"{blob}\n{etag}".encode("utf-8", "surrogatepass")
    return f"drop-{hashlib.sha256(text).hexdigest()[:32]}"


class Drops(Protocol):
    """The table `pipelinedrops`: one record a blob, of its latest drop."""

    def read(self, batch_id: str, blob: str) -> Drop | None:
        """Return the record of a blob."""

    def write(self, drop: Drop) -> Drop:
        """Write a record as it was read or made; return it with its new fence.

        Raises:
            Conflict: another one has written or removed it since it was read.
        """

    def of_batch(self, batch_id: str) -> list[Drop]:
        """Return the records of a batch."""

    def remove(self, drop: Drop) -> None:
        """Remove a record, unless it was written again since it was read."""
