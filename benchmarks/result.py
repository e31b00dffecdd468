"""One measured figure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """A figure, and its budget.

    Attributes:
        name: what was measured.
        value: the figure, for programs.
        shown: the figure with its unit, for people.
        budget: as text; `-` when there is none.
        kept: whether the figure is within the budget; None when there is none.
    """

    name: str
    value: float
    shown: str
    budget: str = "-"
    kept: bool | None = None
