"""Dropped photos that start no job: kept in `pipelinepoison` with the reason."""

from collections.abc import Mapping

from pydantic_core import to_json

from imaginem.message import DEFAULT_BATCH
from imaginem.pipeline.barred import PhotoBarred, remove_barred
from imaginem.pipeline.poison import keep_invalid
from imaginem.ports import DashboardServices
from imaginem.ports.drops import run_of_drop
from imaginem.redaction import one_line
from imaginem.usecases.admission import made_id

_NO_PIPELINE = "photo-dropped"  # under which a refused drop is kept where no setting names a step


def batch_of_blob(blob: str) -> str:
    """Return the batch that a blob is dropped into: its first folder that has a name."""
    folder, slash, _ = blob.lstrip("/").partition("/")
    return folder if slash else DEFAULT_BATCH


def file_name(blob: str) -> str:
    """Return a blob's name without its folders."""
    return blob.rsplit("/", 1)[-1]


def refused_id(blob: str, etag: str) -> str:
    """Return the id of the job that a replay of a refused drop starts."""
    return made_id(file_name(blob), run_of_drop(blob, etag)[-8:])


def refuse_drop(
    services: DashboardServices, blob: str, etag: str, reason: str, *, job_id: str = ""
) -> None:
    """Keep a blob that starts no job, as the message that it would have had."""
    container = services.core_settings.input_container
    definition = {
        "id": job_id or refused_id(blob, etag),
        "batch_id": batch_of_blob(blob),
        "input": {"image_url": services.blobs.address(container, blob)},
    }
    text = f"{container}/{one_line(blob, 200)} was dropped: {reason}"
    _keep(services, run_of_drop(blob, etag), definition, text)


def refuse_barred(services: DashboardServices, blob: str, problem: PhotoBarred) -> None:
    """Keep that a photo was dropped which is barred, and remove it: nobody else ever would.

    What was erased for good leaves no name: in its place is a keyed hash, the same each time.
    """
    container = services.core_settings.input_container
    mark = services.erased.mark("dropped", blob)[:32]
    definition = {"id": mark, "batch_id": batch_of_blob(blob)}
    text = (
        f"a photo was dropped in {container}: {problem}. It is removed from there: drop it anew "
        "then; a replay of this message does nothing"
    )
    _keep(services, f"drop-{mark}", definition, text)
    remove_barred(services, container, blob, problem.sha256)


def _keep(
    services: DashboardServices, message_id: str, definition: Mapping[str, object], reason: str
) -> None:
    body = to_json({"job_definition": definition}).decode()
    queue = next(iter(services.core_settings.default_pipeline), _NO_PIPELINE)
    keep_invalid(services, queue, message_id, body, one_line(reason))
