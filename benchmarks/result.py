"""One measured figure."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Result:
    """A figure, and its budget.

    Attributes:
        name: what was measured.
        value: the figure, for programs; None where it could not be measured.
        shown: the figure with its unit, for people.
        budget: as text; `-` when there is none.
        kept: whether the figure is within the budget; None when there is none.
        key: by which a chart finds the figure; empty where none shows it.
        label: what the chart calls it.
        more: further figures of the same thing, by name with unit.
    """

    name: str
    value: float | None
    shown: str
    budget: str = "-"
    kept: bool | None = None
    key: str = ""
    label: str = ""
    more: Mapping[str, float] = field(default_factory=dict)


def missing(name: str, reason: str) -> Result:
    """Return the row of something that can't be measured here, with its reason."""
    return Result(name, None, f"not measured: {reason}")
