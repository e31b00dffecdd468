"""Makes a job's message again from its row, when the message itself is lost.

What only the message knew is written into the row by the insert that opens a run: the sender's
fields, the outputs that it came with, its photo. What steps find stands in the row anyway. The
query of a photo's address is a secret and is not kept: a photo from elsewhere can be fetched
again only if its address had none, or if it has been fetched already. Secrets among the sender's
`image_parameters` and `step_parameters` are not kept either: a step that needs one fails in a run
that is made so.
"""

from typing import Any

from pydantic_core import from_json, to_json

from imaginem.errors import PermanentError
from imaginem.message import JobMessage, decode_message
from imaginem.pipeline.offload import as_property, expand, fit
from imaginem.pipeline.progress_row import ProgressRow
from imaginem.pipeline.states import StepState
from imaginem.ports import Blobs, JobKey, Services
from imaginem.redaction import one_line, redact_values, without_query

SHARES = 3
"""Large properties of a row besides the outputs of its steps: two of the message, one to spare."""
QUERY_LOST = (
    "the message was lost before the photo was fetched, and the query of its address is not kept: "
    "send the photo again"
)
_NAME = "message"
_KEPT = frozenset(
    {"image", "image_error", "unsuccessful", "dropped", "engines", "replay_of", "anew"}
)


def kept_of(message: JobMessage, blobs: Blobs) -> dict[str, Any]:
    """Return a message as it may be kept: no secrets in it, and of our bookkeeping the facts."""
    definition = message.job_definition
    url, kept = definition.input.image_url, definition.bookkeeping
    plain = without_query(url)
    if plain != url and blobs.locate(url) is None and not (kept.image or kept.image_error):
        kept = kept.model_copy(update={"image_error": QUERY_LOST})
    elif kept.image_error:
        kept = kept.model_copy(update={"image_error": one_line(kept.image_error)})
    value = without_secrets(message.with_image_url(plain))
    value["job_definition"]["_imaginem"] = kept.model_dump(
        mode="json", by_alias=True, include=set(_KEPT), exclude_defaults=True
    )
    return value


def without_secrets(message: JobMessage) -> dict[str, Any]:
    """Return a message as JSON; `image_parameters` and fields of senders have no secrets."""
    value: dict[str, Any] = message.model_dump(mode="json", by_alias=True, exclude_unset=True)
    definition = message.job_definition
    given = value["job_definition"]["input"]
    parts = ((value, message), (value["job_definition"], definition), (given, definition.input))
    for part, model in parts:
        for name in set(model.model_extra or ()) & part.keys():
            part.update(redact_values({name: part[name]}))
    if "image_parameters" in given:
        given["image_parameters"] = redact_values(given["image_parameters"])
    if definition.step_parameters:
        value["job_definition"]["step_parameters"] = redact_values(definition.step_parameters)
    return value


def message_property(message: JobMessage, blobs: Blobs) -> str:
    """Return what only the message knows as the text of a property; a large one is a link."""
    shares = len(message.job_definition.processing_pipeline) + SHARES
    return as_property(_NAME, kept_of(message, blobs), message.key, blobs, shares=shares)


def photo_property(message: JobMessage) -> str | None:
    """Return what became of a photo from elsewhere as the text of a property, or None."""
    kept = message.job_definition.bookkeeping
    if not (kept.image or kept.image_error):
        return None
    return to_json({"image": kept.image, "image_error": one_line(kept.image_error)}).decode()


def message_from_row(row: ProgressRow, services: Services, step: str = "") -> JobMessage:
    """Return the message that a job's run waits for, with the row's run and fence.

    Args:
        row: with all its properties.
        services: where the message and its outputs are read and kept if they are large.
        step: queue that the message is for; the one whose turn it is by default.

    Raises:
        PermanentError: the row names no such step, or what it links to is gone.
        InvalidMessage: what the row keeps is no message.
    """
    step = step or row.current
    if step not in row.pipeline:
        raise PermanentError(f"the row of job {row.job_id} names no step that its job waits for")
    message = kept_message(row.message, row.key, services) or bare_message(row, services)
    index = row.pipeline.index(step)
    earlier = row.pipeline[:index]
    outputs = {**message.job_output, **_outputs(row, earlier)}
    message = message.with_outputs(outputs).at_step(index)
    message = message.noting(
        run=row.run, fence=row.fence, unsuccessful=_unsuccessful(row, message, earlier)
    )
    return fit(with_photo(row, message), services.blobs)


def kept_message(text: str, key: JobKey, services: Services) -> JobMessage | None:
    """Return the message that was kept as a text; None if the text is none.

    Raises:
        PermanentError: it is a link to nothing.
        InvalidMessage: what was kept is no message.
    """
    if not text:
        return None
    try:
        value = expand(from_json(text), key, services.blobs)
    except ValueError:
        return None
    return decode_message(to_json(value), services.core_settings.default_pipeline)


def bare_message(row: ProgressRow, services: Services) -> JobMessage:
    """Return as much of a message as a row tells that keeps none: nothing of its sender's own.

    Raises:
        InvalidMessage: the row was not written by us.
    """
    index = row.pipeline.index(row.current) if row.current else 0
    definition = {
        "id": row.job_id,
        "batch_id": row.key[0],
        "input": {"image_url": row.image_url},
        "processing_pipeline": row.pipeline,
        "processing_step": index,
    }
    message = decode_message(
        to_json({"job_definition": definition}), services.core_settings.default_pipeline
    )
    message = message.noting(run=row.run, fence=row.fence)
    if services.blobs.locate(row.image_url) is None:
        message = message.noting(image_error=QUERY_LOST)
    return message.noting(dropped=row.dropped) if row.dropped else message


def _outputs(row: ProgressRow, earlier: list[str]) -> dict[str, Any]:
    """Return the outputs of the steps that succeeded, or links to them."""
    texts = {
        name: row.output_of(name) for name in earlier if row.state_of(name) is StepState.SUCCESS
    }
    return {name: from_json(text) for name, text in texts.items() if text}


def _unsuccessful(row: ProgressRow, message: JobMessage, earlier: list[str]) -> list[str]:
    known = message.job_definition.bookkeeping.unsuccessful
    states = {name: row.state_of(name) for name in earlier}
    return [
        name
        for name, state in states.items()
        if state in (StepState.FAILED, StepState.SKIPPED)
        or (name in known and state is StepState.WAITING)
    ]


def with_photo(row: ProgressRow, message: JobMessage) -> JobMessage:
    """Return the message with what the row says of a photo from elsewhere."""
    try:
        found = from_json(row.photo)
        return message.noting(image=str(found["image"]), image_error=str(found["image_error"]))
    except (ValueError, KeyError, TypeError):  # nothing, or the table was edited by hand
        return message
