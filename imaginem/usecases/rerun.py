"""Run jobs again from one of their steps, with other engines if wished, and compare the outputs.

What a job had found is kept first, then the message is sent. A rerun that dies in between is done
again: the same output is kept once.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from imaginem.errors import InvalidMessage, NotFound, PermanentError
from imaginem.message import JobMessage
from imaginem.names import stored_run
from imaginem.pipeline.progress_row import ProgressRow, progress_properties, read_row
from imaginem.pipeline.resuming import message_from_row
from imaginem.pipeline.states import CONCLUDED
from imaginem.ports import (
    RECOGNIZER,
    AuditDeed,
    AuditSubject,
    DashboardServices,
    EarlierOutput,
    JobErased,
    JobKey,
)
from imaginem.usecases.access import Caller, hidden_batches
from imaginem.usecases.at_work import at_work, is_at_work
from imaginem.usecases.audit.acting import note
from imaginem.usecases.compare import Change, compare
from imaginem.usecases.pace import Pace
from imaginem.usecases.submit import check_open, send_message


class StillAtWork(PermanentError):
    """A job has not ended, so it can't be run again."""


@dataclass(frozen=True)
class Rerun:
    """What to do again.

    Attributes:
        from_step: the first step that runs again; what was found before it is kept.
        engines: providers for this run, by the names of kinds that users see.
        token: stands for these engines in messages; empty if none was chosen.
    """

    from_step: str
    engines: Mapping[str, str] = field(default_factory=dict)
    token: str = ""


def prepare_rerun(
    services: DashboardServices, batch_id: str, from_step: str, engines: Mapping[str, str]
) -> Rerun:
    """Check which engines are wished, and note them for the jobs of a batch.

    Raises:
        PermanentError: the batch was cancelled, there is no such kind of engine, or its
            embeddings could not be compared with those of the gallery.
        ConfigurationError: there is no such engine, or something that it needs is missing.
    """
    check_open(services, batch_id)
    chosen: dict[str, str] = {}
    for name, provider in engines.items():
        kind = services.engine_kinds.get(name)
        if kind is None:
            known = ", ".join(services.engine_kinds)
            raise PermanentError(f"there is no kind of engine {name!r}: choose one of {known}")
        other = services.other_engine(kind, provider)
        if kind.name == RECOGNIZER.name and other.name != services.recognizer.name:
            raise PermanentError(
                f"{name}: embeddings of {other.name} can't be compared with those of "
                f"{services.recognizer.name} in the gallery: set FACE_PRINT_ENGINE and run every "
                "job again"
            )
        chosen[kind.name] = provider
    token = services.engine_choices.note(batch_id, chosen) if chosen else ""
    return Rerun(from_step, dict(engines), token)


def rerun_job(services: DashboardServices, key: JobKey, rerun: Rerun) -> str:
    """Run a job again from a step; return the id of the new run's message.

    Raises:
        NotFound: there is no such job.
        StillAtWork: it has not ended.
        PermanentError: it has no such step, or it never came so far, or its batch was cancelled.
    """
    row = read_row(services.log, key)
    if row is None:
        raise NotFound(f"there is no job {key[1]} in batch {key[0]}, or it has not begun")
    if is_at_work(row, services.submissions.submission(key)):
        raise StillAtWork(f"job {key[1]} is still at work: wait until it has ended")
    _check_step(row, rerun.from_step)
    message = _without_later_outputs(message_from_row(row, services, rerun.from_step))
    message = message.noting(run="", fence="", engines=rerun.token, replay_of=row.run, anew=True)
    check_open(services, key[0])
    note(services, AuditDeed.RAN_AGAIN, AuditSubject.JOB, *key)
    result = services.results.read(key)
    if result is not None and result.timestamp is not None:
        earlier = EarlierOutput(
            batch_id=key[0],
            job_id=key[1],
            made=result.timestamp,
            job_output=result.job_output,
            from_step=rerun.from_step,
            engines=rerun.engines,
        )
        try:
            services.earlier_outputs.keep(earlier, run=stored_run(row.run))
        except JobErased:  # since it was read
            raise NotFound(f"there is no job {key[1]} in batch {key[0]} any more") from None
    return send_message(services, message)


def _without_later_outputs(message: JobMessage) -> JobMessage:
    """Return the message without outputs of steps that run again: a step may fail this time."""
    definition = message.job_definition
    again = definition.processing_pipeline[definition.processing_step :]
    kept = {name: output for name, output in message.job_output.items() if name not in again}
    return message.with_outputs(kept)


def _check_step(row: ProgressRow, from_step: str) -> None:
    """Check that a run can begin at a step.

    Raises:
        PermanentError: the job has no such step, or no outcome of one before it.
    """
    if from_step not in row.pipeline:
        raise PermanentError(
            f"job {row.job_id} has no step {from_step!r}: its steps are {', '.join(row.pipeline)}"
        )
    for name in row.pipeline[: row.pipeline.index(from_step)]:
        if row.state_of(name) not in CONCLUDED:
            raise PermanentError(
                f"job {row.job_id} never came to {from_step}: run it again from {name}"
            )


@dataclass
class BatchRerun:
    """What became of a batch's jobs.

    Attributes:
        sent: run of each job that was sent.
        at_work: jobs that had not ended.
        left: how many others stay as they are, by the reason.
    """

    sent: dict[str, str] = field(default_factory=dict)
    at_work: int = 0
    left: Counter[str] = field(default_factory=Counter)


def jobs_to_rerun(
    services: DashboardServices, batch_id: str, from_step: str
) -> tuple[list[str], int]:
    """Return the jobs of a batch that have ended, and how many are at work.

    Raises:
        NotFound: the batch has no job.
        PermanentError: none of its jobs has the step.
    """
    rows = [ProgressRow(e) for e in services.log.batch(batch_id, only=progress_properties(()))]
    busy = at_work(services, batch_id, rows)
    if not rows and not busy:
        raise NotFound(f"there is no batch {batch_id}")
    known = list(dict.fromkeys(name for row in rows for name in row.pipeline))
    if known and from_step not in known:
        raise PermanentError(
            f"no job of batch {batch_id} has a step {from_step!r}: there are {', '.join(known)}"
        )
    return [row.job_id for row in rows if row.job_id not in busy], len(busy)


def rerun_batch(
    services: DashboardServices,
    batch_id: str,
    rerun: Rerun,
    job_ids: Sequence[str],
    *,
    pace: Pace | None = None,
    tell: Callable[[], object] = lambda: None,
) -> BatchRerun:
    """Run jobs of a batch again; one that is at work is left.

    Args:
        services: where to read and send.
        batch_id: of the jobs.
        rerun: what to do again.
        job_ids: the jobs.
        pace: how fast.
        tell: called after each job.
    """
    done, pace = BatchRerun(), pace or Pace()
    for job_id in job_ids:
        pace.wait()
        try:
            done.sent[job_id] = rerun_job(services, (batch_id, job_id), rerun)
        except StillAtWork:
            done.at_work += 1
        except (PermanentError, InvalidMessage, NotFound) as problem:
            done.left[str(problem).replace(f"job {job_id} ", "a job ")] += 1
        tell()
    return done


@dataclass(frozen=True)
class Comparison:
    """A job's output from before its last rerun, compared with that of now.

    Attributes:
        before: when the result before was written.
        after: when the one of now was.
        changes: by step.
    """

    batch_id: str
    job_id: str
    before: datetime
    after: datetime
    from_step: str
    engines: Mapping[str, str]
    changes: Mapping[str, Sequence[Change]]


def comparison_of(services: DashboardServices, key: JobKey, caller: Caller) -> Comparison | None:
    """Return how a job's output differs from the one before; None if there is none to compare.

    Matches with faces that the caller may not see, or that were erased, are left out.
    """
    result = services.results.read(key)
    kept = services.earlier_outputs.of_job(key)
    if result is None or result.timestamp is None or not kept:
        return None
    earlier = kept[0]
    if earlier.made >= result.timestamp:  # the rerun has not ended, or wrote nothing
        return None
    note(services, AuditDeed.VIEWED, AuditSubject.JOB, *key)
    both = (earlier.job_output, result.job_output)
    visible = _visible_faces(services, both, caller)
    before, after = (_with_matches(outputs, visible) for outputs in both)
    return Comparison(
        batch_id=key[0],
        job_id=key[1],
        before=earlier.made,
        after=result.timestamp,
        from_step=earlier.from_step,
        engines=earlier.engines,
        changes=compare(before, after),
    )


def _matches(outputs: Mapping[str, Any]) -> Iterator[Any]:
    for output in outputs.values():
        listed = output.get("matches") if isinstance(output, dict) else None
        yield from listed if isinstance(listed, list) else ()


def _visible_faces(
    services: DashboardServices, both: Sequence[Mapping[str, Any]], caller: Caller
) -> dict[str, str]:
    """Return whose faces the matched ones are, as far as the caller may know: job by face id."""
    ids = {_face_id(match) for outputs in both for match in _matches(outputs)} - {None}
    owners = services.gallery.owners([face_id for face_id in ids if face_id is not None])
    hidden = hidden_batches(services, {owner.batch_id for owner in owners.values()}, caller)
    return {
        str(face_id): f"{owner.batch_id}/{owner.job_id}"
        for face_id, owner in owners.items()
        if owner.batch_id not in hidden
    }


def _face_id(match: Any) -> uuid.UUID | None:
    try:
        return uuid.UUID(str(match["matched_face_id"]))
    except (ValueError, KeyError, TypeError):
        return None


def _with_matches(outputs: Mapping[str, Any], visible: Mapping[str, str]) -> dict[str, Any]:
    """Return outputs with the matches of visible faces alone, named by their jobs."""
    shown: dict[str, Any] = {}
    for step, output in outputs.items():
        listed = output.get("matches") if isinstance(output, dict) else None
        if isinstance(listed, list):
            named = [(str(_face_id(match)), match) for match in listed]
            matches = [
                {**match, "matched_face_id": visible[face_id]}
                for face_id, match in named
                if face_id in visible
            ]
            output = {**output, "matches": matches}
        shown[step] = output
    return shown
