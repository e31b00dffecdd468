"""The job message that travels from queue to queue: its fields, decoding and encoding."""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import from_json, to_json

from imaginem.errors import InvalidMessage
from imaginem.names import check_pipeline, table_key

MESSAGE_LIMIT = 48 * 1024
"""Most bytes of a message: its base64 still fits into the 64 KiB of a queue message."""
OUTPUT_LIMIT = 16 * 1024
"""Most bytes of a step's output that travel in the message; a larger one is kept in a blob."""
PIPELINE_LIMIT = 50
"""Most steps of a pipeline: a table entity has no more than 255 properties."""

_URL_LIMIT = 8192
_SEND = "send a JSON object that holds job_definition"
DEFAULT_BATCH = "default"
"""Batch of the messages that name none."""

_NumberAsText = Annotated[
    str, BeforeValidator(lambda v: str(v) if isinstance(v, int) and not isinstance(v, bool) else v)
]


# A sender may have made up less than none: with it, a step would be tried for ever.
_Count = Annotated[int, AfterValidator(lambda count: max(count, 0))]
_Seal = Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]


class DroppedPhoto(BaseModel):
    """Which file a job is for whose photo somebody dropped in the input container.

    Attributes:
        source: container and name of the blob, with a slash between.
        etag: of the blob as it was dropped.
        sha256: of its bytes, in hexadecimal.
    """

    source: str
    etag: str
    sha256: str


class Bookkeeping(BaseModel):
    """What one step execution leaves in the message for the next (`_imaginem`).

    Attributes:
        run: id of the queue message that started this run of the job; empty before its first step.
        fence: ETag of the job's row after the last step was recorded.
        attempt: failed tries of the current step.
        waits: times that the current step found a service busy.
        traceparent: W3C trace context of the run.
        image: address of our copy of a photo that came from another server.
        image_error: why the photo could not be fetched; it is not tried again.
        unsuccessful: steps of this run that failed or were skipped.
        dropped: the photo, if it was dropped; it may be replaced at any time.
        drop: id of the run that the drop starts; a second message of it is a duplicate.
        look: the message was sent again: the job's row is read before the step runs.
        replaces: id of the run that a job's first message starts, if that message was sent again.
        ends: why the message ends its job instead of running its step.
        engines: stands for the engines that a rerun chose; see `imaginem.pipeline.engine_choices`.
        replay: stands for the entry of `pipelinepoison` that was replayed; the run's id follows
            from it and from the rest of the message, so a second message of it is a duplicate.
        replay_of: the earlier run that the message does again; if that one was erased meanwhile,
            so is this one.
        unbarred: seal of the run that found its photo not to be barred; see
            `imaginem.pipeline.seals`.
        gathering: stands for the wait of a group step's job, whose message this is; or `apart`: the
            step sees the job by itself.
        beat: what the message saw of those who work on the job, when it came before.
        put: when the message was put on the queue that brought the job here.
        made: what outputs of pure steps were made of, by step; see `imaginem.pipeline.reuse`.
        seals: seals of what `made` says, by step.
        reused: steps whose output is that of an earlier run.
        anew: somebody wants the steps to run again, so nothing is reused.
    """

    model_config = ConfigDict(extra="ignore")

    run: str = ""
    fence: str = ""
    attempt: _Count = 0
    waits: _Count = 0
    traceparent: str = ""
    image: str = ""
    image_error: str = ""
    unsuccessful: Annotated[list[str], Field(alias="unfinished")] = Field(default_factory=list)
    dropped: DroppedPhoto | None = None
    drop: Annotated[str, Field(pattern="^((drop|replay)-[0-9a-f]{32})?$")] = ""
    look: bool = False
    replaces: Annotated[str, Field(pattern="^[A-Za-z0-9-]{0,80}$")] = ""
    ends: Annotated[str, Field(max_length=300)] = ""
    engines: Annotated[str, Field(pattern="^([0-9a-f]{32})?$")] = ""
    replay: Annotated[str, Field(pattern="^([0-9a-f]{32})?$")] = ""
    replay_of: str = ""
    unbarred: _Seal = ""
    gathering: Annotated[str, Field(pattern="^(apart|[0-9a-f]{32})?$")] = ""
    beat: Annotated[str, Field(max_length=200)] = ""
    put: datetime | None = None
    made: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = Field(default_factory=dict)
    seals: dict[str, _Seal] = Field(default_factory=dict)
    reused: list[str] = Field(default_factory=list)
    anew: bool = False


def _own_bookkeeping(value: object) -> Bookkeeping:
    """Read the bookkeeping; if it is not valid, a sender wrote it, and it is ignored."""
    try:
        return Bookkeeping.model_validate(value)
    except ValidationError:
        return Bookkeeping()


class JobInput(BaseModel):
    """The photo of a job, and what its sender wants passed through."""

    model_config = ConfigDict(extra="allow")

    image_url: str
    image_classifiers: Any = None
    image_parameters: Any = None


class JobDefinition(BaseModel):
    """The photo of a job, the steps to run, which of them is next, and what is said to each."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    id: _NumberAsText
    batch_id: _NumberAsText = DEFAULT_BATCH
    input: JobInput
    processing_pipeline: Annotated[list[str], Field(min_length=1, max_length=PIPELINE_LIMIT)]
    processing_step: Annotated[int, Field(ge=0)] = 0
    step_parameters: dict[str, dict[str, Any]] = Field(default_factory=dict)
    bookkeeping: Annotated[
        Bookkeeping, BeforeValidator(_own_bookkeeping), Field(alias="_imaginem")
    ] = Field(default_factory=Bookkeeping)


class JobMessage(BaseModel):
    """One job on its way: the definition, and the outputs of the steps so far."""

    model_config = ConfigDict(extra="allow")

    job_definition: JobDefinition
    job_output: dict[str, Any] = Field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        """Batch id and job id."""
        return self.job_definition.batch_id, self.job_definition.id

    @property
    def current(self) -> str:
        """Name of the queue whose turn it is."""
        return self.job_definition.processing_pipeline[self.job_definition.processing_step]

    @property
    def following(self) -> str | None:
        """Name of the queue after the current one, or None on the last."""
        names = self.job_definition.processing_pipeline[self.job_definition.processing_step + 1 :]
        return names[0] if names else None

    def encode(self) -> str:
        """Return the message as JSON text, unknown fields included."""
        text = self.model_dump_json(by_alias=True, exclude_unset=True)
        # Queue storage carries messages in XML, which forbids these two characters.
        return text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")

    def noting(self, **changes: object) -> "JobMessage":
        """Return the message with these fields in its bookkeeping: a copy if any is not there."""
        kept = self.job_definition.bookkeeping
        there = kept.model_fields_set  # the others are not written, though they have a value
        if all(name in there and getattr(kept, name) == value for name, value in changes.items()):
            return self
        bookkeeping = kept.model_copy(update=changes)
        return self._defining(bookkeeping=bookkeeping)

    def without_bookkeeping(self) -> "JobMessage":
        """Return a copy with nothing in its bookkeeping."""
        return self._defining(bookkeeping=Bookkeeping())

    def with_outputs(self, outputs: dict[str, Any]) -> "JobMessage":
        """Return a copy that carries these outputs."""
        return self.model_copy(update={"job_output": outputs})

    def at_step(self, index: int) -> "JobMessage":
        """Return a copy whose next step is the one of this index."""
        return self._defining(processing_step=index)

    def with_image_url(self, url: str) -> "JobMessage":
        """Return the message with this image address: a copy if it has another one."""
        if url == self.job_definition.input.image_url:
            return self
        photo = self.job_definition.input.model_copy(update={"image_url": url})
        return self._defining(input=photo)

    def _defining(self, **changes: object) -> "JobMessage":
        definition = self.job_definition.model_copy(update=changes)
        return self.model_copy(update={"job_definition": definition})


def read_json(body: str | bytes) -> Any:
    """Return the JSON value in a queue message, which is plain text or base64.

    Some senders encode JSON twice: a JSON string that holds JSON, or base64 of it, is read as that.

    Raises:
        InvalidMessage: the message is neither.
    """
    value = _read_once(body)
    if not isinstance(value, str):
        return value
    try:
        return _read_once(value)
    except InvalidMessage as problem:
        raise InvalidMessage(f"the message is a JSON string, and in it {problem}") from None


def _read_once(body: str | bytes) -> Any:
    raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    raw = raw.removeprefix(b"\xef\xbb\xbf").strip()
    if not raw.startswith((b"{", b"[", b'"')):
        try:
            raw = from_base64(raw).removeprefix(b"\xef\xbb\xbf")
        except ValueError:
            raise InvalidMessage(
                f"the message is neither JSON nor base64 of JSON: {_SEND}"
            ) from None
    try:
        return from_json(raw, allow_inf_nan=False)
    except ValueError as problem:
        raise InvalidMessage(f"the message is not JSON: {problem}: {_SEND}") from None


def from_base64(text: str | bytes) -> bytes:
    """Return what a base64 text holds; line breaks and blanks in it mean nothing, as in .NET.

    Raises:
        ValueError: it is no base64, or is empty.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    data = base64.b64decode(b"".join(raw.split()), validate=True)
    if not data:
        raise ValueError("it is empty")
    return data


def decode_message(body: str | bytes, default_pipeline: Sequence[str]) -> JobMessage:
    """Read a job message, filling in the defaults of the contract.

    Args:
        body: text of the queue message: JSON, or base64 of JSON.
        default_pipeline: used when the message has no `processing_pipeline`.

    Raises:
        InvalidMessage: a field is missing or wrong; says which, and how to fix it.
    """
    value = read_json(body)
    if not isinstance(value, dict) or not isinstance(value.get("job_definition"), dict):
        raise InvalidMessage("job_definition is missing: the message must be an object with one")
    definition = dict(value["job_definition"])
    defaults = {
        "processing_pipeline": list(default_pipeline),
        "batch_id": DEFAULT_BATCH,
        "processing_step": 0,
        "_imaginem": {},
    }
    if definition.get("step_parameters", {}) is None:
        del definition["step_parameters"]
    definition |= {name: item for name, item in defaults.items() if definition.get(name) is None}
    outputs = {} if value.get("job_output") is None else value["job_output"]
    try:
        message = JobMessage.model_validate(
            {**value, "job_definition": definition, "job_output": outputs}
        )
    except ValidationError as problem:
        raise InvalidMessage(explain(problem)) from None
    _check(message)
    return message


def _check(message: JobMessage) -> None:
    definition = message.job_definition
    if len(definition.input.image_url) > _URL_LIMIT:
        raise InvalidMessage(
            f"job_definition.input.image_url is longer than {_URL_LIMIT} characters: shorten it"
        )
    table_key(definition.id, "job_definition.id")
    table_key(definition.batch_id, "job_definition.batch_id")
    check_pipeline(definition.processing_pipeline)
    steps = len(definition.processing_pipeline)
    if definition.processing_step >= steps:
        raise InvalidMessage(
            f"job_definition.processing_step is {definition.processing_step}, but the pipeline "
            f"has {steps} steps: use 0 to {steps - 1}"
        )
    size = len(to_json(message.with_outputs({}), by_alias=True))
    if size > MESSAGE_LIMIT - 2048 - 512 * steps:  # room for bookkeeping and links to outputs
        raise InvalidMessage(
            f"job_definition takes {size} bytes, more than a message may carry: keep large "
            "image_parameters in a blob and pass its address"
        )


def explain(problem: ValidationError) -> str:
    """Return a validation error as one line that names the field."""
    first = problem.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    more = f" (and {problem.error_count() - 1} more)" if problem.error_count() > 1 else ""
    return f"{where}: {first['msg'][0].lower()}{first['msg'][1:]}{more}"
