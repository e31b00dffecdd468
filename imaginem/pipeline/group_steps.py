"""Steps over several photos: jobs gather by count or time, then one call works on all of them.

A job that comes to a group step *joins*: its row says `gathering`, an entry of
`imaginem.pipeline.gathering` says that it waits, and a message of its own, delayed by the time that
it may wait, holds it. Whoever completes the count works on them; else the first message that comes
does, on all that wait. Once a job was sent on its entry is removed, and the message that held it
finds nothing to do.

So nothing but messages holds jobs, as for every other step. If whoever works on a sheet dies, each
of its jobs has its own message, which works on that job alone: a photo that ends the process is
found out so, and is poisoned as itself. A message that finds its job being worked on waits for
`LOOK_AGAIN_SECONDS`, and looks whether there was a sign of life meanwhile. No clock is compared
with another one.
"""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from imaginem.errors import Conflict, ImaginemError, StorageUnavailable
from imaginem.message import JobMessage
from imaginem.pipeline.advance import Outgoing, Transition
from imaginem.pipeline.failing import end_cancelled
from imaginem.pipeline.fence import AlreadyConcluded, claim_step
from imaginem.pipeline.fused import FusedRun
from imaginem.pipeline.gathering import Claimed, Entry, Gathering, Waiting
from imaginem.pipeline.life_signs import BEAT_SECONDS
from imaginem.pipeline.loading import Delivery, going_on, runs_of
from imaginem.pipeline.offload import fit
from imaginem.pipeline.openings import opening_of
from imaginem.pipeline.progress_row import RowChange, current_step, read_row
from imaginem.pipeline.resuming import message_from_row, photo_property, without_secrets
from imaginem.pipeline.sheets import (
    APART,
    GroupStep,
    Member,
    send_on,
    work_on,
)
from imaginem.pipeline.states import CONCLUDED, JobState, StepState
from imaginem.pipeline.stopping import is_erased, stop_erased
from imaginem.ports import JobErased, Services

LOOK_AGAIN_SECONDS = 3 * BEAT_SECONDS
"""How long a message waits for a sign of life of those who work on its job."""
_TRIES = 8


def gathers(step: GroupStep, message: JobMessage, run: FusedRun) -> bool:
    """Tell whether a job is to wait for others.

    What is tried again runs by itself, so that it can't fail others once more. So does a job whose
    parameters hold a secret: others would make its message of its row, which has no secrets.
    """
    if not step.group or run.delivery.dequeue_count > 1:
        return False
    came = (run.message or message).job_definition.bookkeeping
    if came.gathering or came.attempt:
        return False
    kept = message.job_definition.bookkeeping
    if any(needed.name in kept.unsuccessful for needed in step.requires):
        return False
    plain = message.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return bool(without_secrets(message) == plain)


def join(step: GroupStep, message: JobMessage, run: FusedRun) -> Transition:
    """Let a job wait for others; work on all of them if it is the one that completes the count.

    Raises:
        AlreadyConcluded: the step is recorded already.
        JobErased: the job was erased.
        InvalidMessage: the message that is to hold it would not fit the queue.
    """
    services, now = run.services, datetime.now(UTC)
    waits_until = now + timedelta(seconds=step.within)
    change = RowChange(
        steps=(current_step(message, StepState.GATHERING, ""),),
        job_state=JobState.RUNNING,
        photo=photo_property(message),
        not_before=waits_until.isoformat(timespec="seconds"),
    )
    claim = run.recorder.write(change)
    message = message.noting(run=claim.run, fence=claim.fence)
    kept = message.job_definition.bookkeeping
    job = Waiting(
        message.key,
        claim.run,
        claim.fence,
        uuid.uuid4().hex,
        now,
        run.delivery.put,
        waits=kept.waits,
        traceparent=kept.traceparent,
        unbarred=kept.unbarred,
    )
    held = fit(message.noting(gathering=job.token, put=job.put), services.blobs)
    gathering = Gathering(services.shared_state, step.name)
    if gathering.place(message, job):
        services.queues.send(step.name, held.encode(), delay=step.within)
        return _work_if_full(step, gathering, message, run)
    return Transition("gathering")  # another delivery has joined for it


def resume(step: GroupStep, message: JobMessage, run: FusedRun) -> Transition | None:
    """Go on with a job that waits; None if the message is to be treated as one of any step.

    Raises:
        AlreadyConcluded: the step is recorded already.
        JobErased: the job was erased.
    """
    kept, delivery = message.job_definition.bookkeeping, run.delivery
    holds = kept.gathering not in ("", APART)
    if kept.gathering == APART or not (holds or kept.look or delivery.dequeue_count > 1):
        return None
    if kept.put is not None and delivery.put is not None:  # what was erased meanwhile is older
        run.delivery = delivery = replace(delivery, put=min(kept.put, delivery.put))
    gathering = Gathering(run.services.shared_state, step.name)
    for _ in range(_TRIES):
        entry = gathering.find(message)
        if entry is None or entry.job.run not in runs_of(message, delivery):
            return _left(step, message, run) if holds else None
        if holds and entry.job.token != kept.gathering:
            return Transition("dropped")  # another message holds the job
        if kept.ends:
            gathering.remove(entry)
            return None
        try:
            return _hold(step, gathering, entry, message, run)
        except Conflict:  # somebody took it at the same time
            continue
    raise StorageUnavailable(f"{step.name}: the jobs that wait keep changing")


def _left(step: GroupStep, message: JobMessage, run: FusedRun) -> Transition | None:
    """Drop a message that held a job which has gone on; None if the row does not tell so."""
    row = read_row(run.services.log, message.key)
    if row is None or row.run != message.job_definition.bookkeeping.run:
        return None
    state = row.state_of(step.name)
    # It is tried again by another message, unless this very one comes again after a defect.
    again = run.delivery.dequeue_count > 1 or message.job_definition.bookkeeping.look
    gone_on = state in CONCLUDED or (state is StepState.RETRYING and not again)
    return Transition("dropped") if gone_on else None


def _hold(
    step: GroupStep, gathering: Gathering, entry: Entry, message: JobMessage, run: FusedRun
) -> Transition:
    """Work on the job that a message holds, unless somebody else is doing so.

    Raises:
        Conflict: its entry has changed.
    """
    kept, delivery, job = message.job_definition.bookkeeping, run.delivery, entry.job
    if not (kept.run and kept.fence):
        message = message.noting(run=job.run, fence=job.row_fence)
    sheet = gathering.sheet(job.sheet) if job.sheet else None
    if sheet is not None:
        own = sheet.runner == delivery.id and delivery.dequeue_count > 1  # it died over it
        if not own and kept.beat != sheet.fence:
            later = message.noting(gathering=job.token, beat=sheet.fence, look=False)
            return Transition("gathering", Outgoing(step.name, later.encode(), LOOK_AGAIN_SECONDS))
    alone = job.sheet or job.apart or delivery.dequeue_count > 1 or kept.attempt
    free = [] if alone else gathering.free(message)
    others = [other for other in free if other.name != entry.name][: step.group - 1]
    claimed = gathering.claim(uuid.uuid4().hex, delivery.id, [entry, *others])
    if sheet is not None:
        gathering.forget_sheet(sheet)
    return _work(step, claimed, (entry.name, message), run, look=True)


def _work_if_full(
    step: GroupStep, gathering: Gathering, message: JobMessage, run: FusedRun
) -> Transition:
    """Work on the jobs that wait longest, if there are as many as one call takes."""
    name = gathering.name_of(message)
    for _ in range(_TRIES):
        free = gathering.free(message)
        if len(free) < step.group:
            break
        try:
            claimed = gathering.claim(uuid.uuid4().hex, run.delivery.id, free[: step.group])
        except Conflict:  # another joined at the same time
            continue
        return _work(step, claimed, (name, message), run, look=False)
    return Transition("gathering")


def _work(
    step: GroupStep,
    claimed: Claimed,
    own: tuple[str, JobMessage],
    run: FusedRun,
    *,
    look: bool,
) -> Transition:
    """Work on the jobs of a sheet.

    Args:
        step: that sees them.
        claimed: the sheet.
        own: entry and message of the job that the delivery is of; it may be in no sheet.
        run: of the delivery.
        look: whether the own job's row is to be read first.
    """
    gathering = Gathering(run.services.shared_state, step.name)
    members: list[Member] = []
    done: list[Entry] = []
    state = "gathering"
    for entry in claimed.entries:
        comes = entry.name == own[0]
        message = own[1] if comes else _message_of(step, entry, run.services)
        if message is None:
            gathering.set_apart(entry)
            continue
        member = _member(entry, message, run, comes=comes)
        ended = _opened(member, look=look and comes)
        if ended:
            done.append(entry)
            state = ended if comes else state
        else:
            members.append(member)
    work_on(step, claimed, members, done, run.services)
    return Transition(next((member.state for member in members if member.comes), state))


def _message_of(step: GroupStep, entry: Entry, services: Services) -> JobMessage | None:
    """Return the message of another job, made of its row; None if only its own message will do."""
    job = entry.job
    row = read_row(services.log, job.key)
    if row is None or row.run != job.run or not row.message:
        return None
    if row.state_of(step.name) is not StepState.GATHERING:
        return None
    try:
        message = message_from_row(row, services, step.name)
    except ImaginemError:
        return None
    return message.noting(waits=job.waits, traceparent=job.traceparent, unbarred=job.unbarred)


def _member(entry: Entry, message: JobMessage, run: FusedRun, *, comes: bool) -> Member:
    """Return a job of a sheet, which is recorded under the token of its wait."""
    tries = run.delivery.dequeue_count if comes else 1
    delivery = Delivery("", entry.job.token, tries, entry.job.put)
    own = FusedRun(delivery, run.services, run.registry, run.clock)
    own.message = going_on(message)
    return Member(entry, own.message, own, comes=comes)


def _opened(member: Member, *, look: bool) -> str:
    """Claim a job of a sheet; return how it has ended already, or "" if it is to be worked on."""
    message, run = member.message, member.run
    services, delivery = run.services, run.delivery
    try:
        claim = claim_step(
            services.log,
            message,
            delivery.id,
            lambda: opening_of(message, services, delivery.put),
            look_first=look,
            is_erased=lambda: is_erased(services, message, delivery),
        )
        member.message = message.noting(run=claim.run)
        run.hold(claim, proven=True)
        if services.cancellations.is_cancelled(message.key[0]):
            return end_cancelled(member.message, run.recorder, services).state
    except AlreadyConcluded:
        send_on(member, services)
        return "dropped"
    except JobErased:
        return stop_erased(message, delivery, services).state
    return ""
