"""Which engines call a service that will be shut down, and what to choose instead."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from imaginem.config.engine_table import EngineTable
from imaginem.config.settings import Settings

_logger = logging.getLogger("imaginem.config")
_NOTICE = timedelta(days=365)
"""How long before the day the start of the app begins to warn."""


@dataclass(frozen=True)
class Retirement:
    """A chosen engine whose service has a last day.

    Attributes:
        kind: of the engine, by the name that users see.
        setting: chooses the engine.
        engine: the setting's value.
        day: from which the service answers no more.
        successor: the value to set instead.
        days_left: 0 or less once the service is gone.
    """

    kind: str
    setting: str
    engine: str
    day: date
    successor: str
    days_left: int

    @property
    def is_over(self) -> bool:
        """Tell whether the day has come."""
        return self.days_left <= 0

    @property
    def is_near(self) -> bool:
        """Tell whether less than a year is left, or none."""
        return self.days_left <= _NOTICE.days

    @property
    def text(self) -> str:
        """Return a line that says when, and what to do."""
        when = "has retired" if self.is_over else "retires"
        return (
            f"the service behind {self.setting}={self.engine} {when} on {self.day.isoformat()}: "
            f"set {self.setting}={self.successor}, see docs/engines.md"
        )


def retirements(table: EngineTable, chosen: Mapping[str, str], today: date) -> list[Retirement]:
    """Return the chosen engines whose service will be shut down, or has been.

    Args:
        table: of engines.
        chosen: names of providers by setting.
        today: the present day.
    """
    return [
        Retirement(
            kind=row.shown_as,
            setting=row.setting,
            engine=provider.name,
            day=provider.retires,
            successor=provider.successor,
            days_left=(provider.retires - today).days,
        )
        for row, provider in table.providers(chosen)
        if provider.retires
    ]


def notes(settings: Settings, today: date) -> dict[str, str]:
    """Return until when the services of the chosen engines answer, by kind of engine."""
    ends = retirements(settings.engine_table, settings.engine_choices, today)
    return {end.kind: end.text for end in ends}


def log_retirements(settings: Settings, today: date) -> None:
    """Write a warning for each service that has less than a year left, an error for one gone."""
    for retirement in retirements(settings.engine_table, settings.engine_choices, today):
        if retirement.is_near:
            level = logging.ERROR if retirement.is_over else logging.WARNING
            _logger.log(level, "%s", retirement.text)
