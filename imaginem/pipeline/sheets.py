"""A sheet: the jobs that one call of a group step works on, each recorded as if it were alone.

What the call finds is recorded job by job, under each job's own fence, with the same rows, retries
and poison as a step that sees one job. Where the call as a whole fails, nobody knows whose fault it
was: then each of its jobs is tried by itself, so that one photo can't fail its neighbours.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from imaginem.errors import (
    ImaginemError,
    InvalidMessage,
    PermanentError,
    RetryableError,
    disk_full,
)
from imaginem.message import JobMessage
from imaginem.outputs import StepOutput
from imaginem.pipeline.advance import (
    Outcome,
    Outgoing,
    Transition,
    record_and_advance,
    send_again,
)
from imaginem.pipeline.barred import PhotoBarred
from imaginem.pipeline.context import JobContext
from imaginem.pipeline.erased_faces import without_erased_faces
from imaginem.pipeline.failing import (
    end_barred,
    end_invalid,
    give_up,
    note_problem,
    retry,
    try_apart,
)
from imaginem.pipeline.fence import AlreadyConcluded
from imaginem.pipeline.fused import FusedRun
from imaginem.pipeline.gathering import Claimed, Entry, Gathering
from imaginem.pipeline.json_outputs import json_of
from imaginem.pipeline.life_signs import LifeSigns
from imaginem.pipeline.progress_row import read_row
from imaginem.pipeline.retries import is_last_try, may_retry
from imaginem.pipeline.reuse import made_of, succeeded
from imaginem.pipeline.source import ingest
from imaginem.pipeline.states import StepState
from imaginem.pipeline.steps import Step
from imaginem.pipeline.stopping import stop_erased
from imaginem.ports import JobErased, Services
from imaginem.ports.log_lines import working_on
from imaginem.redaction import one_line

APART = "apart"
_logger = logging.getLogger("imaginem.process")

GroupStep = Step[JobContext, Any]


@dataclass
class Member:
    """One job of a sheet.

    Attributes:
        entry: of the job.
        message: for the step.
        run: holds the claim on the job's row.
        comes: in the delivery of whose message the sheet is worked on.
        state: how its execution ended; empty as long as it did not.
        photo_problem: why the step can't see it.
        defect: what the host shall count, since the step saw no other job.
    """

    entry: Entry
    message: JobMessage
    run: FusedRun
    comes: bool = False
    state: str = ""
    photo_problem: Exception | None = field(default=None, repr=False)
    defect: Exception | None = field(default=None, repr=False)


def work_on(
    step: GroupStep,
    claimed: Claimed,
    members: Sequence[Member],
    done: Sequence[Entry],
    services: Services,
) -> None:
    """Run a group step on the jobs of a sheet; record each, and send it on.

    A job that could not be recorded keeps its entry: its own message sees to it.

    Args:
        step: that sees the jobs.
        claimed: the sheet.
        members: its jobs that are to be worked on.
        done: entries of its jobs with which nothing is to be done any more.
        services: that the step can reach.

    Raises:
        Exception: a defect of the step that met a single job in the delivery of its own message, or
            storage is down; the host delivers again.
    """
    gathering = Gathering(services.shared_state, step.name)
    signs = LifeSigns(gathering, claimed.sheet, services)
    try:
        problem = _work_on(step, members, services)
    finally:
        signs.end()
    ended = [*done, *(member.entry for member in members if member.state)]
    gathering.end(signs.sheet, ended)
    if problem is not None:
        raise problem


def _work_on(step: GroupStep, members: Sequence[Member], services: Services) -> Exception | None:
    """Return what the host shall be told."""
    for member in members:
        _prepare(member, services)
    ready = [member for member in members if member.photo_problem is None]
    found = dict(zip(map(id, ready), _call(step, ready, services), strict=True))
    told: Exception | None = None
    for member in members:
        result = member.photo_problem or found[id(member)]
        try:
            with working_on(batch_id=member.message.key[0], job_id=member.message.key[1]):
                _end(step, member, result, services, sole=len(members) == 1)
        except ImaginemError as problem:
            _logger.warning("%s: %s", step.name, one_line(str(problem)))
            told = problem if member.comes else told
        told = member.defect or told
    return told


def _prepare(member: Member, services: Services) -> None:
    """Bring a job's message up to date, as before any step."""
    kept = member.message.job_definition.bookkeeping
    last_try = is_last_try(kept, services.core_settings)
    try:
        message = ingest(member.message, services, last_try=last_try)
        member.message = without_erased_faces(message, services)
    except ImaginemError as problem:
        member.photo_problem = problem


def _call(
    step: GroupStep, members: Sequence[Member], services: Services
) -> list[StepOutput | Exception]:
    """Call the step; return an output, or what went wrong, for each job."""
    if not members:
        return []
    services.telemetry.measure("imaginem.group.photos", len(members), step=step.name)
    try:
        found = step.together([_context(member, services) for member in members])
        return [_checked(step, each) for each in found]
    except (PermanentError, InvalidMessage) as problem:
        if len(members) == 1:
            return [problem]
        return [_call(step, [member], services)[0] for member in members]
    except OSError as problem:
        return [disk_full(problem) or problem] * len(members)
    except (AlreadyConcluded, JobErased) as problem:  # of one job, told while it wrote results
        if len(members) == 1:
            return [problem]
        return [_call(step, [member], services)[0] for member in members]
    except Exception as problem:
        if len(members) > 1 and not isinstance(problem, RetryableError):
            _logger.error("%s: each photo is tried by itself", step.name, exc_info=problem)
        return [problem] * len(members)


def _checked(step: GroupStep, found: StepOutput | Exception) -> StepOutput | Exception:
    """Return what was found; what is wrong with it if it can't be written as JSON."""
    if isinstance(found, StepOutput):
        try:
            json_of(step.name, found)
        except Exception as problem:  # a step's own serializer may raise anything
            return problem
    return found


def _context(member: Member, services: Services) -> JobContext:
    recorder = member.run.recorder
    return JobContext(member.message, services, recorder.results, member.run.photo, recorder.settle)


def _end(
    step: GroupStep,
    member: Member,
    found: StepOutput | Exception,
    services: Services,
    *,
    sole: bool,
) -> None:
    """Record how the step ended for one job, and send the job on.

    Raises:
        ImaginemError: storage is down.
    """
    try:
        try:
            moved = _recorded(step, member, found, services, sole=sole)
        except AlreadyConcluded as earlier:
            if earlier.row is None:
                moved = Transition("dropped")
            else:
                moved = send_again(member.message, earlier.row, member.run.delivery, services)
    except AlreadyConcluded:
        moved = Transition("dropped")
    except JobErased:
        moved = stop_erased(member.message, member.run.delivery, services)
    send(moved.outgoing, services)
    member.state = moved.state


def _recorded(
    step: GroupStep,
    member: Member,
    found: StepOutput | Exception,
    services: Services,
    *,
    sole: bool,
) -> Transition:
    message, delivery, recorder = member.message, member.run.delivery, member.run.recorder
    if isinstance(found, PhotoBarred):
        return end_barred(message, recorder, services, found)
    if isinstance(found, RetryableError):
        kept = message.job_definition.bookkeeping
        if may_retry(found, kept, services.core_settings):
            return retry(message, recorder, services, found)
        outcome = give_up(message, delivery, services, found)
    elif isinstance(found, (PermanentError, InvalidMessage)):
        outcome = Outcome(StepState.FAILED, reason=one_line(f"PermanentError: {found}"))
    elif isinstance(found, (AlreadyConcluded, JobErased)):
        raise found
    elif isinstance(found, Exception) and sole and member.comes:
        note_problem(message, recorder, delivery, services, found)
        member.defect = found
        return Transition("")  # it keeps its entry until it comes again
    elif isinstance(found, Exception):
        return try_apart(message.noting(gathering=APART), recorder, services, found)
    else:
        made = made_of(step, message, services, member.run.photo)
        outcome = succeeded(step, found, message, member.run, made)
    try:
        return record_and_advance(step, message, outcome, member.run)
    except InvalidMessage as problem:  # it would not fit the next queue
        return end_invalid(message, recorder, delivery, services, problem)


def send(outgoing: Outgoing | None, services: Services) -> None:
    """Put a message on its queue, if there is one."""
    if outgoing is not None:
        services.queues.send(outgoing.queue, outgoing.body, delay=outgoing.delay)


def send_on(member: Member, services: Services) -> None:
    """Send a job on as its row has it: whoever recorded it may have died before.

    Nothing is sent where another run has the job, or nobody has recorded the step.
    """
    row = read_row(services.log, member.message.key)
    run = member.message.job_definition.bookkeeping.run
    if row is None or row.run != run:
        return
    try:
        moved = send_again(member.message, row, member.run.delivery, services)
    except AlreadyConcluded:
        return
    send(moved.outgoing, services)
