"""Timer triggers: NCRONTAB schedules, as the Functions host reads them, in UTC."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from imaginem.errors import ConfigurationError
from imaginem.host.steady import SteadyThread
from imaginem.host.triggers import Trigger

_LOOK_EVERY = 5.0
"""Longest time, in seconds, between two looks at the time of day."""


def next_run(schedule: str, after: datetime) -> datetime:
    """Return the next time of a schedule of five fields, or of six (seconds first).

    Raises:
        ConfigurationError: the schedule is not valid.
    """
    from croniter import CroniterError, croniter

    fields = len(schedule.split())
    try:
        if fields not in (5, 6):
            raise ValueError
        next_time: datetime = croniter(
            schedule, after, second_at_beginning=fields == 6, ret_type=datetime
        ).get_next()
    except (CroniterError, ValueError, KeyError):
        raise ConfigurationError(
            f"the timer schedule {schedule!r} is not an NCRONTAB expression of five or six fields"
        ) from None
    return next_time


class Timer:
    """Runs one timer function at the times of its schedule.

    The time of day is looked at again and again, since it may be set, and the machine may sleep.

    Args:
        trigger: of the function.
        run: called with the function's name each time.
        now: the time of day.
    """

    def __init__(
        self,
        trigger: Trigger,
        run: Callable[[str], object],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._trigger, self._run, self._now = trigger, run, now
        self._due = next_run(trigger.schedule, now())  # a wrong schedule fails the start
        self._stop = threading.Event()
        self._thread = SteadyThread(f"timer {trigger.function}", self._loop, self._stop)

    def start(self) -> None:
        """Start waiting for the first run."""
        self._thread.start()

    def stop(self) -> None:
        """Start no further run."""
        self._stop.set()

    @property
    def lost(self) -> str:
        """Name of the thread if it has ended by itself; else empty."""
        return self._thread.lost

    def look(self) -> float:
        """Run the function if it is due; return the seconds until the next look."""
        now = self._now()
        following = next_run(self._trigger.schedule, now)
        if now >= self._due:
            self._due = following
            self._run(self._trigger.function)
        else:
            self._due = min(self._due, following)  # earlier only if the clock was set back
        return min((self._due - now).total_seconds(), _LOOK_EVERY)

    def _loop(self) -> None:
        while not self._stop.wait(self.look()):
            pass
