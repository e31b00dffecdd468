"""Messages that could not be processed, many at a time: replayed or forgotten by what they say."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from imaginem.errors import InvalidMessage, NotFound, PermanentError
from imaginem.ports import DashboardServices, PoisonEntry, PoisonFilter
from imaginem.ports.cursors import cursor_after, read_names
from imaginem.usecases.pace import Pace
from imaginem.usecases.poison import NewerRun, drop_found, replay_entry

_CLOCKS_DIFFER = timedelta(seconds=5)  # ours, and that of storage


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
        except NotFound as problem:  # erased meanwhile
            handled.left[str(problem)] += 1

    return _handle(services, wanted, replayed, cursor, limit, pace or Pace(), seconds)


def drop_some(
    services: DashboardServices, wanted: PoisonFilter, *, cursor: str = "", limit: int = 100
) -> Handled:
    """Forget the entries that fit, the first `limit` of them; see `replay_some`."""

    def dropped(head: PoisonEntry, handled: Handled) -> None:
        drop_found(services, head)
        handled.done += 1

    handled = _handle(services, wanted, dropped, cursor, limit, Pace(), float("inf"))
    if handled.done:
        services.remains.wipe()
    return handled


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
        if max(pace.seconds, pace.next_turn) >= seconds:
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
