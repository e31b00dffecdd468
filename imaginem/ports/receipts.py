"""The receipts of erasures, as they are kept."""

from collections.abc import Sequence
from typing import Protocol


class Receipts(Protocol):
    """The table `pipelinereceipts`: signed documents by id; what is in them is the use case's."""

    def keep(self, receipt_id: str, text: str) -> None:
        """Keep a receipt, in place of one that has this id."""

    def read(self, receipt_id: str) -> str | None:
        """Return a receipt; None if there is none of this id."""

    def all(self) -> Sequence[str]:
        """Return every receipt, in any order."""
