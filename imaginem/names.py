"""Names that storage services accept: table keys, blob segments, properties, queues."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from imaginem.errors import InvalidMessage

STEP_NAME = re.compile(r"[a-z][a-z0-9]{2,62}")
# Microsoft, "Naming Queues and Metadata": 3-63 of a-z 0-9 -, no dash at the ends or doubled.
_QUEUE_NAME = re.compile(r"(?=.{3,63}\Z)[a-z0-9]+(-[a-z0-9]+)*")
# Microsoft, "Understanding the Table service data model": a key may not contain these.
_FORBIDDEN_IN_KEY = re.compile(r"[/\\#?%\x00-\x1f\x7f-\x9f]")
_KEY_LIMIT = 512  # UTF-16 code units: 1 KiB
_SEGMENT_LIMIT = 200  # two segments and a file name must fit into 1,024 characters
_SHORTENED = re.compile(r".{167}-[0-9a-f]{32}")  # what `blob_segment` makes of a longer one

RESERVED_PROPERTIES = frozenset(
    {
        "image_url",
        "job_output",
        "job_state",
        "processing_pipeline",
        "imaginem_run",
        "imaginem_delivery",
        "imaginem_put",
        "imaginem_previous_runs",
        "imaginem_message",
        "imaginem_photo",
        "imaginem_reused",
        "not_before",
        "photo_source",
        "photo_etag",
        "photo_sha256",
        "photo_replaced",
    }
)

_RUN_AS_IT_IS = re.compile("[A-Za-z0-9-]{1,64}")
_OWN_PHOTO = "imaginem_job"  # names of metadata are identifiers


def table_key(text: str, field: str) -> str:
    """Return `text` as a table key, with the characters that keys forbid percent-encoded.

    Args:
        text: to make a key of.
        field: name of the field, for errors.

    Raises:
        InvalidMessage: the text is empty, has an unpaired surrogate, or is longer than 512
            characters when encoded.
    """
    if not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidMessage(f"{field} contains an unpaired surrogate: write it as UTF-8")
    key = _FORBIDDEN_IN_KEY.sub(lambda match: quote(match.group(), safe=""), text)
    if not key:
        raise InvalidMessage(f"{field} is empty: give it a name of 1 to {_KEY_LIMIT} characters")
    if len(key.encode("utf-16-le")) // 2 > _KEY_LIMIT:
        raise InvalidMessage(f"{field} is longer than {_KEY_LIMIT} characters: shorten it")
    return key


def blob_segment(text: str) -> str:
    """Return `text` as one path segment of a blob name: no slash, not `.` or `..`, not too long.

    A long text is cut and ends with a hash, so that two long texts stay different.
    """
    segment = quote(text, safe="")
    if set(segment) <= {"."}:
        segment = segment.replace(".", "%2E")
    if len(segment) <= _SEGMENT_LIMIT and not _SHORTENED.fullmatch(segment):
        return segment
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{segment[: _SEGMENT_LIMIT - 33]}-{digest}"


def job_prefix(batch_id: str, job_id: str) -> str:
    """Return what the names of a job's blobs begin with: `<batch>/<job>/`."""
    return f"{blob_segment(batch_id)}/{blob_segment(job_id)}/"


def stored_run(run: str) -> str:
    """Return a run's id as SQL holds it: a sender may have made up any text."""
    if not run or _RUN_AS_IT_IS.fullmatch(run):
        return run
    return hashlib.sha256(run.encode("utf-8", "surrogatepass")).hexdigest()


def own_photo_metadata(container: str, name: str) -> dict[str, str]:
    """Return the metadata of a photo that we keep ourselves, which the blob trigger leaves alone.

    It holds for this place only: a copy of the blob elsewhere is somebody's new photo.
    """
    place = f"{container}/{name}".encode("utf-8", "surrogatepass")
    return {_OWN_PHOTO: hashlib.sha256(place).hexdigest()[:32]}


def is_own_photo(container: str, name: str, metadata: Mapping[str, str]) -> bool:
    """Tell from a blob's metadata whether we put it there."""
    given = {key.lower(): value for key, value in metadata.items()}
    return own_photo_metadata(container, name).items() <= given.items()


def is_plain_path(name: str) -> bool:
    """Tell whether a blob's name has no `.` or `..` segment, which leads elsewhere in a URL.

    Segments may be empty, as in `batch//photo.jpg`: storage takes that as it is, and so do we.
    """
    segments = set(name.replace("\\", "/").split("/"))
    return segments != {""} and not {".", ".."} & segments


def property_name(queue: str) -> str:
    """Return a queue's name as a table property, which must be an identifier: `-` becomes `_`."""
    name = queue.replace("-", "_")
    return f"_{name}" if name[:1].isdigit() else name


def step_properties(queue: str) -> set[str]:
    """Return the `pipelinelogs` properties that one queue of a pipeline uses."""
    name = property_name(queue)
    return {name, f"{name}_output", f"{name}_exception"}


def check_pipeline(pipeline: Sequence[str]) -> None:
    """Check the queue names of a pipeline.

    Raises:
        InvalidMessage: a name is not valid, is reserved, or occurs twice.
    """
    taken: set[str] = set(RESERVED_PROPERTIES)
    for index, name in enumerate(pipeline):
        where = f"job_definition.processing_pipeline[{index}]: {name[:80]!r}"
        if not _QUEUE_NAME.fullmatch(name):
            raise InvalidMessage(
                f"{where} is no queue name: use 3 to 63 of a-z, 0-9 and single dashes inside"
            )
        if name.endswith("-poison") or name.startswith("azure-webjobs-"):
            raise InvalidMessage(f"{where} is reserved by the Functions host: remove it")
        if name in pipeline[:index]:
            raise InvalidMessage(f"{where} stands twice: a job runs each step once, remove one")
        properties = step_properties(name)
        if properties & taken:
            raise InvalidMessage(f"{where} clashes with a log property: rename the queue")
        taken |= properties
