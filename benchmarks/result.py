"""One measured figure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """A figure, and the budget it is held to.

    Attributes:
        kept: whether the budget is kept; None when there is none.
    """

    name: str
    value: float
    shown: str
    budget: str = "-"
    kept: bool | None = None
