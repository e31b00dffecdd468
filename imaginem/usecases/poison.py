"""Messages that could not be processed: looked at, put back on their queues, forgotten.

A replay sends the message, then removes its entry. It may die between the two, and is then
done again: the run's id follows from the entry, so the second message is a duplicate.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from imaginem.errors import InvalidMessage, NotFound, PermanentError
from imaginem.message import JobMessage, decode_message, read_json
from imaginem.pipeline.loading import run_of_replay
from imaginem.pipeline.poison import as_new_run
from imaginem.pipeline.progress_row import ProgressRow, read_row
from imaginem.pipeline.states import CONCLUDED
from imaginem.ports import DashboardServices, PoisonEntry, PoisonFilter, Submission
from imaginem.ports.cursors import cursor_after, read_names
from imaginem.redaction import redact, redact_values
from imaginem.usecases.pace import Pace
from imaginem.usecases.submit import check_open, is_at_work, send_message

KINDS = ("invalid", "exhausted", "defect", "lost")
"""Why a message was kept: it is none, its tries are used up, its step has a defect, or it was
gone from its queue."""
MOST_COUNTED = 10_000
"""Entries up to which they are counted for people to see."""

_CLOCKS_DIFFER = timedelta(seconds=5)  # ours, and that of storage


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


@dataclass
class Handled:
    """What became of entries.

    Attributes:
        done: replayed, or dropped.
        already: entries whose replay had begun before; they are removed, too.
        left: how many stay, by the reason.
        cursor: where to go on; empty at the end.
    """

    done: int = 0
    already: int = 0
    left: Counter[str] = field(default_factory=Counter)
    cursor: str = ""

    @property
    def seen(self) -> int:
        """How many entries were looked at."""
        return self.done + self.already + self.left.total()

    def add(self, other: "Handled") -> None:
        """Take in what became of the entries after these."""
        self.done += other.done
        self.already += other.already
        self.left += other.left
        self.cursor = other.cursor


def find_entry(services: DashboardServices, queue: str, message_id: str) -> PoisonEntry:
    """Return an entry. Raises NotFound."""
    entry = services.poison.read(queue, message_id)
    if entry is None:
        raise NotFound(f"no message {message_id} of {queue} is in pipelinepoison")
    return entry


def view_entry(services: DashboardServices, queue: str, message_id: str) -> PoisonView:
    """Return an entry with its whole body. Raises NotFound."""
    entry = find_entry(services, queue, message_id)
    return PoisonView(entry, readable(entry.body), plan_of(services, entry))


def readable(body: str) -> str:
    """Return a body for people: JSON on many lines, without secrets."""
    try:
        value = read_json(body)
    except InvalidMessage:
        return redact(body)
    return json.dumps(redact_values(value), indent=2, ensure_ascii=False)


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
    """
    plan = plan_of(services, entry)
    if plan.refused:
        raise PermanentError(plan.refused)
    if plan.newer and not force:
        raise NewerRun(f"{plan.newer}; a replay replaces that run with `force` only")
    if plan.message is None:
        plan = replace(plan, run=services.queues.send(entry.queue, as_new_run(entry)))
    elif not plan.done:
        send_message(services, plan.message, run=plan.run)
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
    find_entry(services, queue, message_id)
    services.poison.drop(queue, message_id)


def replay_some(
    services: DashboardServices,
    wanted: PoisonFilter,
    *,
    cursor: str = "",
    limit: int = 100,
    force: bool = False,
    pace: Pace | None = None,
    seconds: float = float("inf"),
) -> Handled:
    """Replay the entries that fit, the first `limit` of them.

    What is kept after the first call is not among them, so that a message that fails at once is
    not replayed for ever.

    Args:
        services: where to read and send.
        wanted: which entries are meant.
        cursor: of the call before; empty for the first one.
        limit: entries that are looked at.
        force: even where a newer run is replaced.
        pace: how fast.
        seconds: no entry is begun after so long.

    Raises:
        InvalidMessage: the cursor is not valid.
    """

    def replayed(head: PoisonEntry, handled: Handled) -> None:
        entry = services.poison.read(head.queue, head.id)
        if entry is None:  # somebody else was faster
            return
        try:
            if replay_entry(services, entry, force=force).done:
                handled.already += 1
            else:
                handled.done += 1
        except NewerRun:
            handled.left["a newer run of the job would be replaced"] += 1
        except PermanentError as problem:
            handled.left[str(problem)] += 1

    return _handle(services, wanted, replayed, cursor, limit, pace or Pace(), seconds)


def drop_some(
    services: DashboardServices, wanted: PoisonFilter, *, cursor: str = "", limit: int = 100
) -> Handled:
    """Forget the entries that fit, the first `limit` of them; see `replay_some`."""

    def dropped(head: PoisonEntry, handled: Handled) -> None:
        services.poison.drop(head.queue, head.id)
        handled.done += 1

    return _handle(services, wanted, dropped, cursor, limit, Pace(), float("inf"))


def _handle(
    services: DashboardServices,
    wanted: PoisonFilter,
    act: Callable[[PoisonEntry, Handled], None],
    cursor: str,
    limit: int,
    pace: Pace,
    seconds: float,
) -> Handled:
    """Do something with the entries that fit, the first `limit` of them."""
    wanted, after = _since_begun(wanted, cursor)
    page = services.poison.page(wanted, after, limit)
    handled, last = Handled(cursor=page.cursor), after
    for head in page.entries:
        if pace.seconds >= seconds:
            handled.cursor = last
            break
        pace.wait()
        act(head, handled)
        last = cursor_after(head.queue, head.id)
    if handled.cursor and wanted.until is not None:
        queue, message_id = read_names(handled.cursor, 2)
        handled.cursor = cursor_after(queue, message_id, wanted.until.isoformat())
    return handled


def _since_begun(wanted: PoisonFilter, cursor: str) -> tuple[PoisonFilter, str]:
    """Return the filter without what is kept from now on, and the cursor of the entries."""
    if not cursor:
        until = datetime.now(UTC) + _CLOCKS_DIFFER
        return replace(wanted, until=wanted.until or until), ""
    queue, message_id, text = read_names(cursor, 3)
    try:
        until = datetime.fromisoformat(text)
        if until.tzinfo is None:
            raise ValueError
    except ValueError:
        raise InvalidMessage("cursor is not valid: take it from the call before") from None
    return replace(wanted, until=until), cursor_after(queue, message_id)


def entries_that_fit(services: DashboardServices, wanted: PoisonFilter) -> Iterator[PoisonEntry]:
    """Return all entries that fit, without their bodies."""
    cursor = ""
    while True:
        page = services.poison.page(wanted, cursor, 1000)
        yield from page.entries
        cursor = page.cursor
        if not cursor:
            return
