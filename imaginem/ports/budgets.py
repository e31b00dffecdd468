"""Budgets: how much of a batch may be spent before it waits for a person."""

from typing import Protocol


class Budgets(Protocol):
    """The budgets of batches, in US dollars by the price list."""

    def of(self, batch_id: str, *, anew: bool = False) -> float | None:
        """Return a batch's budget; None if it has none. Cheap to ask, but with `anew`.

        Args:
            batch_id: of the batch.
            anew: as it is now, and not as it was seconds ago.
        """

    def set(self, batch_id: str, usd: float | None) -> None:
        """Give a batch a budget, or none.

        Raises:
            PermanentError: too many batches have one.
        """

    def is_due(self, batch_id: str) -> bool:
        """Tell whether this process is to look now what the batch has spent."""

    def looked(self, batch_id: str, usd: float, spent: float) -> None:
        """Note what a batch has spent; the nearer to its budget, the sooner is the next look."""
