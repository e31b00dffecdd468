"""Timer triggers: NCRONTAB schedules, as the Functions host reads them, in UTC."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from imaginem.errors import ConfigurationError
from imaginem.host.triggers import Trigger


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

    Args:
        trigger: of the function.
        run: called with the function's name each time.
    """

    def __init__(self, trigger: Trigger, run: Callable[[str], object]) -> None:
        next_run(trigger.schedule, datetime.now(UTC))  # a wrong schedule fails the start
        self._trigger, self._run = trigger, run
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)

    def start(self) -> None:
        """Start waiting for the first run."""
        self._thread.start()

    def stop(self) -> None:
        """Start no further run."""
        self._stop.set()

    def _loop(self) -> None:
        while True:
            now = datetime.now(UTC)
            next_time = next_run(self._trigger.schedule, now)
            if self._stop.wait((next_time - now).total_seconds()):
                return
            self._run(self._trigger.function)
