"""Submissions: photos that were sent, known before their first step begins."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from imaginem.ports.erasing import Erasable
from imaginem.ports.storage import JobKey


@dataclass(frozen=True)
class Submission:
    """The record that a photo was sent.

    Attributes:
        run: id of the queue message; empty as long as it is not known.
        parameters: the sender's `image_parameters`.
        photo: SHA-256 of the photo's bytes or address, in hexadecimal; empty if it is not known.
        queue: on which the message was put; empty as long as there is none, and in records of
            earlier versions.
    """

    run: str
    since: datetime
    parameters: Any = None
    photo: str = ""
    queue: str = ""


class Submissions(Erasable, Protocol):
    """The photos that were sent; a job that is sent again has its latest submission alone."""

    def claim(
        self, key: JobKey, photo: str, parameters: Any = None, *, over: Submission | None = None
    ) -> Submission | None:
        """Record that a photo is to be sent, unless another sender has the job's id.

        Args:
            key: of the job.
            photo: SHA-256 that names the photo.
            parameters: the sender's `image_parameters`.
            over: a submission that was read, whose place this one takes if it is still there.

        Returns:
            None if the id is the photo's now; else the submission that has it.
        """

    def submitted(
        self,
        key: JobKey,
        run: str,
        parameters: Any = None,
        photo: str | None = None,
        *,
        queue: str | None = None,
        message: str | None = None,
    ) -> None:
        """Record that a photo was sent, so that it is counted before its first step.

        Args:
            key: of the job.
            run: id of its message; empty as long as it is not known.
            parameters: the sender's `image_parameters`.
            photo: SHA-256 that names the photo; None leaves what is recorded.
            queue: on which its message is put; None leaves what is recorded.
            message: that message as it may be kept, to be sent again if it is lost; as above.
        """

    def message(self, key: JobKey) -> str:
        """Return the message of a job's latest submission as it was kept; empty if none was."""

    def correct(self, key: JobKey, run: str, message: str) -> None:
        """Keep another message of a job's submission, as long as it is that of this run."""

    def withdraw(self, key: JobKey) -> None:
        """Remove the submission of a photo that was not sent after all: one without a run."""

    def submission(self, key: JobKey) -> Submission | None:
        """Return a job's latest submission."""

    def photos(self, keys: Collection[JobKey]) -> dict[JobKey, str]:
        """Return the SHA-256 that names the photo of each of these jobs, as far as it is known."""

    def parameters(self, keys: Collection[JobKey]) -> dict[JobKey, Any]:
        """Return the senders' `image_parameters` of those of these jobs that were submitted."""

    def submissions(self, batch_id: str) -> dict[str, Submission]:
        """Return a batch's submissions, by job id."""
