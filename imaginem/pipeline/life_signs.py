"""Signs of life of whoever works on a sheet: without them others take its jobs over."""

from imaginem.errors import Conflict, StorageUnavailable
from imaginem.pipeline.gathering import Gathering, SheetEntry
from imaginem.ports import Alarm, Services

BEAT_SECONDS = 5.0
"""How often whoever works on a sheet gives a sign of life."""


class LifeSigns:
    """Says again and again that somebody works on a sheet.

    Args:
        gathering: where it is said.
        sheet: that is worked on.
        services: that do things later.
    """

    def __init__(self, gathering: Gathering, sheet: SheetEntry, services: Services) -> None:
        self._gathering, self._services = gathering, services
        self.sheet = sheet
        self._over = False
        self._alarm: Alarm = services.alarms.after(BEAT_SECONDS, self._beat)

    def _beat(self) -> None:
        try:
            self.sheet = self._gathering.beat(self.sheet)
        except Conflict:  # it counts as dead: what it still finds is recorded where nobody else has
            return
        except StorageUnavailable:
            pass
        if not self._over:
            self._alarm = self._services.alarms.after(BEAT_SECONDS, self._beat)

    def end(self) -> None:
        """Say nothing more."""
        self._over = True
        self._alarm.stop()
        self._alarm.stop()  # the one that was set while the first was being stopped
