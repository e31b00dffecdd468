"""Messages that could not be processed: looked at, put back on their queues, forgotten.

A replay sends the message, then removes its entry. It may die between the two, and is then
done again: the run's id follows from the entry, so the second message is a duplicate.
"""

import json
from dataclasses import dataclass, replace

from imaginem.errors import InvalidMessage, NotFound, PermanentError
from imaginem.message import JobMessage, decode_message, read_json
from imaginem.pipeline.loading import run_of_replay
from imaginem.pipeline.poison import as_new_run
from imaginem.pipeline.progress_row import ProgressRow, read_row
from imaginem.pipeline.states import CONCLUDED
from imaginem.ports import AuditDeed, AuditSubject, DashboardServices, PoisonEntry, Submission
from imaginem.redaction import redact, redact_shown
from imaginem.usecases.at_work import is_at_work
from imaginem.usecases.audit.acting import note
from imaginem.usecases.submit import check_open, send_message

KINDS = ("invalid", "exhausted", "defect", "lost")
"""Why a message was kept: it is none, its tries are used up, its step has a defect, or it was
gone from its queue."""
MOST_COUNTED = 1000
"""Entries up to which pages count them; the table service sends a thousand at a time."""


class NewerRun(PermanentError):
    """The job is at work, or was run again since: a replay would replace that run."""


@dataclass(frozen=True)
class Plan:
    """What a replay of an entry does.

    Attributes:
        message: the job message; None when the body is none, and goes back as it is.
        run: id of the run that it starts; empty when the body is no job message.
        done: this run has begun already, so that nothing is sent.
        newer: why it is done on request only: which run it would replace; empty if none.
        refused: why it is not done; empty if it is.
    """

    message: JobMessage | None = None
    run: str = ""
    done: bool = False
    newer: str = ""
    refused: str = ""

    @property
    def told(self) -> str:
        """What a replay does, in one sentence."""
        if self.refused or self.newer:
            return self.refused or self.newer
        if self.done:
            return "an earlier replay has begun: only this entry is removed"
        if self.message is None:
            return "it goes back as it is, and is kept again unless a setting was wrong"
        definition = self.message.job_definition
        place = f"{definition.processing_step + 1} of {len(definition.processing_pipeline)}"
        earlier = [n for n in definition.processing_pipeline if n in self.message.job_output]
        kept = f"; the outputs of {', '.join(earlier)} are kept" if earlier else ""
        return f"a new run of the job begins at {self.message.current} (step {place}){kept}"


@dataclass(frozen=True)
class PoisonView:
    """An entry as people see it: its body without secrets, and what a replay does."""

    entry: PoisonEntry
    body: str
    plan: Plan


def find_entry(services: DashboardServices, queue: str, message_id: str) -> PoisonEntry:
    """Return an entry. Raises NotFound."""
    entry = services.poison.read(queue, message_id)
    if entry is None:
        raise NotFound(f"no message {message_id} of {queue} is in pipelinepoison")
    return entry


def view_entry(services: DashboardServices, queue: str, message_id: str) -> PoisonView:
    """Return an entry with its whole body. Raises NotFound."""
    entry = find_entry(services, queue, message_id)
    _note(services, AuditDeed.VIEWED, entry)
    return PoisonView(entry, readable(entry.body), plan_of(services, entry))


def readable(body: str) -> str:
    """Return a body for people: JSON on many lines, without secrets."""
    try:
        value = read_json(body)
    except InvalidMessage:
        return redact(body)
    return json.dumps(redact_shown(value), indent=2, ensure_ascii=False)


def plan_of(services: DashboardServices, entry: PoisonEntry) -> Plan:
    """Return what a replay of an entry does now."""
    try:
        message = decode_message(as_new_run(entry), services.core_settings.default_pipeline)
    except InvalidMessage:
        return Plan()
    if message.current != entry.queue:
        return Plan()
    plan = Plan(message, run_of_replay(message))
    row = read_row(services.log, message.key)
    if row is not None and plan.run in row.runs:
        return replace(plan, done=True)
    try:
        check_open(services, message.key[0])
    except PermanentError as problem:
        return replace(plan, refused=str(problem))
    sent = services.submissions.submission(message.key)
    return replace(plan, newer=_newer_run(entry, plan, row, sent))


def _newer_run(
    entry: PoisonEntry, plan: Plan, row: ProgressRow | None, sent: Submission | None
) -> str:
    """Return which run of the job a replay would replace; empty if none."""
    before = _run_in(entry.body)
    own = {entry.id, before, plan.run}
    if row is not None and not row.has_ended:
        if row.run in own and row.state_of(entry.queue) not in CONCLUDED:
            return ""  # it waits for this message
        return f"job {row.job_id} is at work: wait until it has ended"
    if is_at_work(row, sent) and sent is not None and sent.run not in own:
        return f"job {entry.job_id} waits for a run that was sent since: let that one end"
    if row is None or not row.run or row.run in own:
        return ""
    later = row.updated is not None and entry.at is not None and row.updated > entry.at
    if later or before in row.previous_runs:
        return f"job {row.job_id} was run again since, and has {row.job_state}"
    return ""


def _run_in(body: str) -> str:
    """Return the run that a body belongs to; empty for a first message, or for none."""
    try:
        return decode_message(body, ("any",)).job_definition.bookkeeping.run
    except InvalidMessage:
        return ""


def replay_entry(services: DashboardServices, entry: PoisonEntry, *, force: bool = False) -> Plan:
    """Put an entry's message back on its queue as a new run, and remove the entry.

    Args:
        services: where to read and send.
        entry: with its body.
        force: even if a newer run of the job is replaced.

    Returns:
        What was done; `run` is the new run, or the message's id when it is no job message.

    Raises:
        NewerRun: the job is at work, or was run again since.
        PermanentError: its batch was cancelled.
        NotFound: its job was erased since; the entry is removed.
    """
    plan = plan_of(services, entry)
    if plan.refused:
        raise PermanentError(plan.refused)
    if plan.newer and not force:
        raise NewerRun(f"{plan.newer}; a replay replaces that run with `force` only")
    _note(services, AuditDeed.REPLAYED, entry)
    if plan.message is None:
        plan = replace(plan, run=services.queues.send(entry.queue, as_new_run(entry)))
    elif not plan.done:
        try:
            send_message(services, plan.message, run=plan.run)
        except NotFound:
            services.remains.note()
            services.poison.drop(entry.queue, entry.id)  # what was erased leaves nothing behind
            raise
    services.poison.drop(entry.queue, entry.id)
    return plan


def replay_job(
    services: DashboardServices, queue: str, message_id: str, *, force: bool = False
) -> str:
    """Replay one entry; return the id of the new run.

    Raises:
        NotFound: there is no such entry.
        NewerRun: the job is at work, or was run again since.
        PermanentError: its batch was cancelled.
    """
    return replay_entry(services, find_entry(services, queue, message_id), force=force).run


def drop_entry(services: DashboardServices, queue: str, message_id: str) -> None:
    """Forget an entry. Raises NotFound."""
    drop_found(services, find_entry(services, queue, message_id))
    services.remains.wipe()


def drop_found(services: DashboardServices, entry: PoisonEntry) -> None:
    """Forget an entry that was found; the caller wipes what remains, once for many."""
    _note(services, AuditDeed.DROPPED, entry)
    services.remains.note()
    services.poison.drop(entry.queue, entry.id)


def _note(services: DashboardServices, deed: AuditDeed, entry: PoisonEntry) -> None:
    """Record what is done to an entry; one that could not be read names no job."""
    if entry.job_id:
        note(services, deed, AuditSubject.JOB, entry.batch_id, entry.job_id)
    else:
        note(services, deed, AuditSubject.QUEUE, entry.queue)
