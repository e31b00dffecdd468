"""`imaginem poison`: see, replay and drop what could not be processed."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from imaginem.cli.shared import (
    App,
    Exit,
    Json,
    err,
    exit_on_error,
    fail,
    make_runtime,
    out,
    print_json,
)
from imaginem.errors import ImaginemError, StorageUnavailable
from imaginem.ports import PoisonEntry, PoisonFilter
from imaginem.redaction import one_line
from imaginem.runtime import Runtime
from imaginem.usecases.pace import Pace
from imaginem.usecases.poison import KINDS, drop_entry, replay_job, view_entry
from imaginem.usecases.poison_many import Handled, drop_some, entries_that_fit, replay_some
from imaginem.usecases.reasons import told

poison_app = typer.Typer(no_args_is_help=True, help="Messages that could not be processed.")
_AT_ONCE = 100

Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID...]", help="As `poison list` shows them; or QUEUE [MESSAGE]."),
]
Queue = Annotated[str, typer.Option("--queue", help="On which they failed.")]
Batch = Annotated[str, typer.Option("--batch", help="Of their jobs.")]
Job = Annotated[str, typer.Option("--job", help="The job's id.")]
Reason = Annotated[str, typer.Option("--reason", help="A part of the reason.")]
Kind = Annotated[str, typer.Option("--kind", help=f"{', '.join(KINDS)}.")]
All = Annotated[bool, typer.Option("--all", help="All of them.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count them.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]


@poison_app.command("list")
def list_poison(
    queue: Annotated[str, typer.Argument(metavar="[QUEUE]")] = "",
    batch: Batch = "",
    job: Job = "",
    reason: Reason = "",
    kind: Kind = "",
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 100,
    as_json: Json = False,
    app: App = Path(),
) -> None:
    """List what could not be processed, and why."""
    wanted = _filter(queue, batch, job, reason, kind)
    with exit_on_error():
        page = make_runtime(app).poison.page(wanted, limit=limit)
    if as_json:
        print_json([_as_json(entry) for entry in page.entries])
        return
    for entry in page.entries:  # no table: ids are copied, and reasons are long
        lines = (_id(entry), f"  {_facts(entry)}", f"  {one_line(told(entry.reason))}")
        out.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
    if not page.entries:
        out.print("nothing fits" if wanted != PoisonFilter() else "nothing is poisoned")
    elif page.cursor:
        out.print(f"{limit} are shown, there are more: `--limit`", highlight=False)


@poison_app.command("show")
def show(
    message: Annotated[str, typer.Argument(metavar="ID")], as_json: Json = False, app: App = Path()
) -> None:
    """Show a message whole, without secrets, and what a replay would do."""
    queue, dot, message_id = message.partition(".")
    if not dot:
        raise typer.BadParameter(f"{message}: give an id as `imaginem poison list` shows it")
    with exit_on_error():
        view = view_entry(make_runtime(app), queue, message_id)
    if as_json:
        body = {"body": view.body, "replay": view.plan.told}
        print_json({**_as_json(view.entry), **body})
        return
    lines = (
        message,
        f"{_facts(view.entry)}",
        f"reason: {one_line(told(view.entry.reason))}",
        f"replay: {view.plan.told}",
        view.body,
    )
    out.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


@poison_app.command("replay")
def replay(
    ids: Ids = None,
    queue: Queue = "",
    batch: Batch = "",
    job: Job = "",
    reason: Reason = "",
    kind: Kind = "",
    every: All = False,
    rate: Annotated[float, typer.Option(help="Messages a second at most.", min=0)] = 0,
    force: Annotated[
        bool, typer.Option("--force", help="Even if a newer run of the job is replaced.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    app: App = Path(),
) -> None:
    """Put messages back on their queues, each as a new run of its job."""
    meant = _meant(ids or [], _filter(queue, batch, job, reason, kind), every)
    pace = Pace(rate)

    def one(runtime: Runtime, queue: str, message_id: str) -> None:
        pace.wait()
        replay_job(runtime, queue, message_id, force=force)

    def some(runtime: Runtime, wanted: PoisonFilter, cursor: str) -> Handled:
        limit = min(_AT_ONCE, max(1, int(rate))) if rate else _AT_ONCE
        return replay_some(runtime, wanted, cursor=cursor, limit=limit, force=force, pace=pace)

    with exit_on_error():
        _act(make_runtime(app), meant, _Deed("replay", "replayed", one, some), dry_run, yes)


@poison_app.command("drop")
def drop(
    ids: Ids = None,
    queue: Queue = "",
    batch: Batch = "",
    job: Job = "",
    reason: Reason = "",
    kind: Kind = "",
    every: All = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    app: App = Path(),
) -> None:
    """Forget messages."""
    meant = _meant(ids or [], _filter(queue, batch, job, reason, kind), every)

    def some(runtime: Runtime, wanted: PoisonFilter, cursor: str) -> Handled:
        return drop_some(runtime, wanted, cursor=cursor, limit=_AT_ONCE)

    with exit_on_error():
        _act(make_runtime(app), meant, _Deed("drop", "dropped", drop_entry, some), dry_run, yes)


@dataclass(frozen=True)
class _Deed:
    """What a command does with messages, one by one or many."""

    verb: str
    done: str
    one: Callable[[Runtime, str, str], None]
    some: Callable[[Runtime, PoisonFilter, str], Handled]


def _filter(queue: str, batch: str, job: str, reason: str, kind: str) -> PoisonFilter:
    if kind and kind not in KINDS:
        raise typer.BadParameter(f"--kind is one of {', '.join(KINDS)}")
    return PoisonFilter(queue, batch, job, reason, kind)


def _meant(
    ids: Sequence[str], wanted: PoisonFilter, every: bool
) -> list[tuple[str, str]] | PoisonFilter:
    """Return the messages that arguments and options mean."""
    if ids and (every or replace(wanted, queue="") != PoisonFilter()):
        raise typer.BadParameter("give ids, or options that say which messages are meant")
    if ids and all("." in name for name in ids):
        return [(name.partition(".")[0], name.partition(".")[2]) for name in ids]
    if len(ids) == 1:
        return replace(wanted, queue=ids[0])
    if len(ids) == 2 and "." not in ids[0]:
        return [(ids[0], ids[1])]
    if ids:
        raise typer.BadParameter("give ids as `imaginem poison list` shows them")
    if wanted == PoisonFilter() and not every:
        raise typer.BadParameter("say which messages are meant: ids, options, or --all")
    return wanted


def _act(
    runtime: Runtime,
    meant: list[tuple[str, str]] | PoisonFilter,
    deed: _Deed,
    dry_run: bool,
    yes: bool,
) -> None:
    """Count, ask, do it, and say what became of the messages."""
    if isinstance(meant, PoisonFilter):
        counts = Counter((e.queue, e.kind) for e in entries_that_fit(runtime, meant))
        total = counts.total()
        for (queue, kind), count in sorted(counts.items()) if dry_run else ():
            out.print(f"{queue}: {count} {kind}".rstrip(), highlight=False, markup=False)
    else:
        total = sum(runtime.poison.read(*place) is not None for place in meant)
        if total == 0:
            fail("there is no such message; see `imaginem poison list`")
    if total == 0:
        out.print("nothing fits" if meant != PoisonFilter() else "nothing is poisoned")
        return
    if dry_run:
        out.print(f"{_messages(total)} would be {deed.done}", highlight=False)
        return
    if total > 1 and not yes and not typer.confirm(f"{deed.verb.capitalize()} {_messages(total)}?"):
        raise typer.Exit(int(Exit.FAILED))
    if isinstance(meant, PoisonFilter):
        handled = _many(runtime, meant, deed, total)
    else:
        handled = _each(runtime, meant, deed)
    _tell(handled, deed)


def _many(runtime: Runtime, wanted: PoisonFilter, deed: _Deed, total: int) -> Handled:
    handled = Handled()
    columns = (TextColumn(deed.done), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, disable=total < 2) as bar:
        task = bar.add_task(deed.verb, total=total)
        while True:
            handled.add(deed.some(runtime, wanted, handled.cursor))
            bar.update(task, completed=handled.seen)
            if not handled.cursor:
                return handled


def _each(runtime: Runtime, places: list[tuple[str, str]], deed: _Deed) -> Handled:
    handled = Handled()
    for queue, message_id in places:
        try:
            deed.one(runtime, queue, message_id)
            handled.done += 1
        except StorageUnavailable:
            raise
        except ImaginemError as problem:
            if len(places) == 1:
                raise
            handled.left[str(problem)] += 1
    return handled


def _tell(handled: Handled, deed: _Deed) -> None:
    """Say what became of messages; exit with 1 if some were left."""
    out.print(f"{_messages(handled.done)} {deed.done}", highlight=False)
    if handled.already:
        out.print(f"{handled.already} had been replayed before", highlight=False)
    for reason, count in handled.left.most_common():
        err.print(f"{count} left: {reason}", markup=False, highlight=False, soft_wrap=True)
    if handled.left:
        fail(f"{_messages(handled.left.total())} left where they were")


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"


def _id(entry: PoisonEntry) -> str:
    return f"{entry.queue}.{entry.id}"


def _facts(entry: PoisonEntry) -> str:
    job = f"job {entry.batch_id}/{entry.job_id}" if entry.job_id else "no job"
    tries = "1 try" if entry.attempts == 1 else f"{entry.attempts} tries"
    when = f"{entry.at:%Y-%m-%d %H:%M} UTC" if entry.at else ""
    return ", ".join(part for part in (job, entry.kind, tries, when) if part)


def _as_json(entry: PoisonEntry) -> dict[str, Any]:
    known = {name: value for name, value in vars(entry).items() if name != "body"}
    return {**known, "place": _id(entry)}
