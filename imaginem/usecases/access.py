"""Who may do and see what; HTTP finds out who calls, the command line may do everything."""

from collections.abc import Iterable
from dataclasses import dataclass

from imaginem.errors import InvalidMessage, NotFound
from imaginem.message import JobDefinition
from imaginem.names import blob_segment
from imaginem.pipeline.progress_row import progress_properties
from imaginem.pipeline.source import photo_containers
from imaginem.ports import DashboardServices, Groups, JobKey
from imaginem.redaction import without_query

ROLES = ("viewer", "caseworker", "operator")
"""App roles, each of which may do all that those before it may."""


@dataclass(frozen=True)
class Caller:
    """Who calls.

    Attributes:
        name: kept with what the caller decides.
        role: one of `ROLES`.
        groups: batches of other groups are hidden; None sees everything.
    """

    name: str
    role: str
    groups: Groups = frozenset()

    def may(self, role: str) -> bool:
        """Tell whether the caller may do what needs this role."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def may_see(self, group: str) -> bool:
        """Tell whether the caller may see a group's batches; an empty group is everybody's."""
        return not group or self.groups is None or group in self.groups


EVERYTHING = Caller("local user", "operator", None)
"""The user of this machine: the command line, and HTTP where `HTTP_ACCESS` is `local`."""


def hidden_batches(services: DashboardServices, batches: Iterable[str], caller: Caller) -> set[str]:
    """Return which of these batches the caller may not see."""
    names = set(batches)
    if caller.groups is None or not names:
        return set()
    groups = services.batches.groups_of(names)
    return {batch_id for batch_id, group in groups.items() if not caller.may_see(group)}


def check_batch(services: DashboardServices, batch_id: str, caller: Caller) -> None:
    """Check that a caller may see a batch.

    Raises:
        NotFound: hidden, as if it did not exist.
    """
    if hidden_batches(services, [batch_id], caller):
        raise NotFound(no_batch(batch_id))


def check_job(services: DashboardServices, key: JobKey, caller: Caller) -> None:
    """Check that a caller may see a job.

    Raises:
        NotFound: its batch is hidden, as if the job did not exist.
    """
    if hidden_batches(services, [key[0]], caller):
        raise NotFound(no_job(key))


def absence(services: DashboardServices, batch_id: str, job_id: str | None = None) -> str:
    """Return what is said of a batch, or of a job in it, that is not there; empty if it is.

    This is said of hidden ones too, so that nobody learns of them.
    """
    if job_id is None:
        rows = services.log.batch(batch_id, only=progress_properties(()))
        known = (
            services.batches.batch(batch_id)
            or services.submissions.submissions(batch_id)
            or services.results.finished(batch_id)
            or next(iter(rows), None)
        )
        return "" if known else no_batch(batch_id)
    key = batch_id, job_id
    job = services.submissions.submission(key) or services.results.read(key)
    return "" if job or services.log.read(key) else no_job(key)


def no_batch(batch_id: str) -> str:
    """Return what is said of a batch that is not there, or hidden."""
    return f"there is no batch {batch_id}"


def no_job(key: JobKey) -> str:
    """Return what is said of a job that is not there, or in a hidden batch."""
    return f"there is no job {key[1]} in batch {key[0]}"


def check_photo_address(
    services: DashboardServices, definition: JobDefinition, caller: Caller
) -> None:
    """Check that a caller may have a photo in our storage account processed.

    Raises:
        InvalidMessage: the photo is in another container, or in another batch's folder.
    """
    blob = services.blobs.locate(without_query(definition.input.image_url))
    if blob is None:
        return
    container, name = blob
    allowed = photo_containers(services)
    folder = name.partition("/")[0]
    own = caller.groups is None or folder == blob_segment(definition.batch_id)
    if container not in allowed or not own:
        raise InvalidMessage(
            "job_definition.input.image_url: photos of this account are read from "
            f"{' and '.join(allowed)} only, and from the folder of the job's own batch"
        )
