"""In-memory fake of the receipts of erasures."""

from collections.abc import Sequence


class MemoryReceipts:
    """`pipelinereceipts` in memory."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def keep(self, receipt_id: str, text: str) -> None:
        """Keep a receipt."""
        self._texts[receipt_id] = text

    def read(self, receipt_id: str) -> str | None:
        """Read a receipt."""
        return self._texts.get(receipt_id)

    def all(self) -> Sequence[str]:
        """Read all receipts."""
        return list(self._texts.values())
