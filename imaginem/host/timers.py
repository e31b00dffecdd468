"""Timer triggers: NCRONTAB schedules, as the Functions host reads them, in UTC."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from imaginem.errors import ConfigurationError
from imaginem.host.triggers import Trigger


def next_run(schedule: str, after: datetime) -> datetime:
    """Return when a schedule of five or six fields (seconds first) is due next.

    Raises:
        ConfigurationError: it is no such schedule.
    """
    from croniter import CroniterError, croniter

    fields = len(schedule.split())
    try:
        if fields not in (5, 6):
            raise ValueError
        due: datetime = croniter(
            schedule, after, second_at_beginning=fields == 6, ret_type=datetime
        ).get_next()
    except (CroniterError, ValueError, KeyError):
        raise ConfigurationError(
            f"the timer schedule {schedule!r} is no NCRONTAB expression of five or six fields"
        ) from None
    return due


class Timer:
    """Runs one timer function whenever it is due."""

    def __init__(self, trigger: Trigger, run: Callable[[str], object]) -> None:
        next_run(trigger.schedule, datetime.now(UTC))  # a wrong schedule shows at the start
        self._trigger, self._run = trigger, run
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)

    def start(self) -> None:
        """Begin to wait for the first time."""
        self._thread.start()

    def stop(self) -> None:
        """Run it no more."""
        self._stop.set()

    def _loop(self) -> None:
        while True:
            now = datetime.now(UTC)
            due = next_run(self._trigger.schedule, now)
            if self._stop.wait((due - now).total_seconds()):
                return
            self._run(self._trigger.function)
