"""Makes jobs of what callers send, a photo or a job message, after checking it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic_core import to_json

from imaginem.errors import InvalidMessage, NotFound, PermanentError
from imaginem.message import JobMessage, decode_message
from imaginem.names import job_prefix
from imaginem.pipeline.means import checked_parameters
from imaginem.pipeline.steps import Registry
from imaginem.ports import AuditDeed, AuditSubject, DashboardServices, JobKey
from imaginem.redaction import without_query
from imaginem.usecases.access import Caller, check_batch, check_photo_address, no_batch
from imaginem.usecases.admission import Admission, Wish, admit, photo_digest
from imaginem.usecases.audit.acting import note
from imaginem.usecases.budgets import begin_budget
from imaginem.usecases.submit import job_id_of, send_message


@dataclass(frozen=True)
class Upload:
    """A photo for a batch.

    Attributes:
        read: returns the file's bytes; called only once the other checks have passed.
        filename: the sender's, with folders or without.
        pipeline: names of steps; what they require is added. Empty for the default.
        job_id: the sender's choice; empty for one made of name and content.
        again: send the job once more if the same photo's has ended.
        replace: take the chosen id from another photo.
        group: who may see the batch, if this is its first photo; empty for everybody.
        raw: take the pipeline as it is given: other names are queues that other apps serve.
        step_parameters: what is said to steps, by their names.
        budget: US dollars that the batch may spend, if it has no budget yet.
    """

    batch_id: str
    read: Callable[[], bytes]
    filename: str
    pipeline: Sequence[str] = ()
    job_id: str = ""
    again: bool = False
    replace: bool = False
    group: str = ""
    raw: bool = False
    step_parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    budget: float | None = None


def receive_photo(
    services: DashboardServices, registry: Registry, upload: Upload, caller: Caller
) -> Admission:
    """Keep a photo that a caller sent, and put its job on the first queue, unless it is there.

    Raises:
        JobIdTaken: another photo has the id that was chosen.
        NotFound: the batch is another group's, which the caller may not see.
        InvalidMessage: an id is not valid, a name in the pipeline is no step's, or the caller is
            not in the group.
        PermanentError: the batch was cancelled, or belongs to another group.
    """
    if not caller.may_see(upload.group):
        raise InvalidMessage("group: you are not in this group")
    pipeline = _whole_pipeline(services, registry, upload)
    check_first_step(registry, pipeline[0])
    said = checked_parameters(upload.step_parameters, pipeline, registry.parameters())
    data = upload.read()
    name = _file_name(upload.filename)
    _check_valid(services, (upload.batch_id, upload.job_id or job_id_of(name)), pipeline)
    _enter_batch(services, upload.batch_id, caller, upload.group)
    begin_budget(services, upload.batch_id, upload.budget)
    wish = Wish(
        batch_id=upload.batch_id,
        name=name,
        photo=data,
        pipeline=pipeline,
        job_id=upload.job_id,
        again=upload.again,
        replace=upload.replace,
        step_parameters=said,
    )
    admission = admit(services, wish)
    return (
        replace(admission, note=nothing_kept(registry, pipeline)) if admission.sent else admission
    )


def _enter_batch(
    services: DashboardServices, batch_id: str, caller: Caller, group: str = ""
) -> None:
    """Open a batch for a caller; called last, once nothing is wrong with what the caller sent.

    That the batch is another group's can't be hidden from somebody who may send: an absent one
    would be made. Nor can it be asked for nothing: each try leaves a batch, or this entry.

    Raises:
        NotFound: it is another group's, which the caller may not see.
        PermanentError: it belongs to no group, or to another one of the caller's.
    """
    try:
        check_batch(services, batch_id, caller)
        try:
            owner = services.batches.open_batch(batch_id, group)
        except PermanentError:
            check_batch(services, batch_id, caller)
            raise
        if not caller.may_see(owner):  # made by another group meanwhile
            raise NotFound(no_batch(batch_id))
    except NotFound:
        note(services, AuditDeed.REFUSED, AuditSubject.BATCH, batch_id)
        raise


def _check_valid(services: DashboardServices, key: JobKey, pipeline: Sequence[str]) -> None:
    """Check ids and pipeline as those of a message.

    Raises:
        InvalidMessage: one is not valid.
    """
    photo = {"image_url": "https://localhost/"}
    definition = {"id": key[1], "batch_id": key[0], "input": photo, "processing_pipeline": pipeline}
    decode_message(
        _encoded({"job_definition": definition}), services.core_settings.default_pipeline
    )


def _whole_pipeline(
    services: DashboardServices, registry: Registry, upload: Upload
) -> Sequence[str]:
    """Return the wanted steps and those they require, or the pipeline of the settings."""
    wanted = upload.pipeline
    if wanted and not upload.raw:
        for name in wanted:
            if name not in registry:
                raise InvalidMessage(f"pipeline: {no_such_step(registry, name, 'raw=true')}")
        wanted = registry.resolve(wanted)
    pipeline = wanted or services.core_settings.default_pipeline
    if not pipeline:  # settings always name one; services that an embedder makes may not
        raise InvalidMessage("pipeline: name one step at least, or set PIPELINE_DEFINITION")
    return pipeline


def no_such_step(registry: Registry, name: str, raw: str) -> str:
    """Return the refusal of a name in a chosen pipeline that is no step's.

    A misspelt step would be taken for another app's queue, and its job handed over to nobody.

    Args:
        registry: knows the steps.
        name: that was given.
        raw: how to say that it is another app's queue.
    """
    known = f"; steps are {', '.join(registry.names())}"
    return (
        f"no step is named {name!r}{registry.suggestion(name.lower()) or known} (with {raw}, steps "
        "are taken as they are given, and the job is handed over to such a queue)"
    )


def nothing_kept(registry: Registry, pipeline: Collection[str]) -> str:
    """Return a note for the sender of a pipeline that keeps nothing; empty if a step keeps it."""
    finalizers = [step.name for step in registry if step.finalizer]
    if not finalizers or set(finalizers) & set(pipeline):
        return ""
    return (
        f"without {' or '.join(finalizers)}, what is found stays in the job's log: no search, list "
        "of photos or export has it"
    )


def check_first_step(registry: Registry, queue: str) -> None:
    """Check that a step serves a job's first queue: otherwise the job would wait unnoticed.

    Raises:
        InvalidMessage: no step serves it.
    """
    if queue not in registry:
        raise InvalidMessage(f"pipeline: no step is named {queue!r}{registry.suggestion(queue)}")


def _file_name(filename: str) -> str:
    """Return a file's name as text that can be stored, without folders."""
    text = filename.encode("utf-8", "replace").decode()
    return text.replace("\\", "/").rsplit("/", 1)[-1] or "photo"


def receive_message(
    services: DashboardServices, registry: Registry, message: Mapping[str, Any], caller: Caller
) -> Admission:
    """Put a job message that a caller wrote on its queue.

    Raises:
        InvalidMessage: it is not a job message, names a photo that the caller may not have
            processed, or begins on a queue that no step serves.
        NotFound: its batch is another group's.
        PermanentError: its batch was cancelled.
    """
    decoded = decode_message(
        _encoded(_without_bookkeeping(message)), services.core_settings.default_pipeline
    )
    definition = decoded.job_definition
    check_photo_address(services, definition, caller)
    check_first_step(registry, decoded.current)
    checked_parameters(
        definition.step_parameters, definition.processing_pipeline, registry.parameters()
    )
    _enter_batch(services, definition.batch_id, caller)
    note(services, AuditDeed.SUBMITTED, AuditSubject.BATCH, definition.batch_id)
    run = send_message(services, decoded, _photo_of(services, decoded))
    told = nothing_kept(registry, definition.processing_pipeline)
    return Admission(decoded.key, run, sent=True, state="queued", note=told)


def _photo_of(services: DashboardServices, message: JobMessage) -> str | None:
    """Return the digest of a message's photo; None for the one that the job has already."""
    url = message.job_definition.input.image_url
    blob = services.blobs.locate(without_query(url))
    own = blob is not None and f"{blob[1]}/".startswith(job_prefix(*message.key))
    return None if own else photo_digest(url)


def _without_bookkeeping(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a message without Imaginem's own bookkeeping, which callers must not set."""
    definition = message.get("job_definition")
    if not isinstance(definition, dict):
        return message
    kept = {name: value for name, value in definition.items() if name != "_imaginem"}
    return {**message, "job_definition": kept}


def _encoded(message: Mapping[str, Any]) -> bytes:
    try:
        return to_json(message)
    except (ValueError, RecursionError):
        raise InvalidMessage(
            "the message contains an unpaired surrogate, or is nested too deeply"
        ) from None
