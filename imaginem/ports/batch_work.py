"""Which batches have work to do, and which are to stop."""

from typing import Protocol


class Cancellations(Protocol):
    """Batches whose jobs are to stop before their next step."""

    def is_cancelled(self, batch_id: str) -> bool:
        """Tell whether a batch is cancelled; cached for some seconds, so cheap to ask."""

    def cancel(self, batch_id: str) -> None:
        """Stop a batch's jobs before their next step."""

    def reopen(self, batch_id: str) -> None:
        """Let a batch take jobs again; those that were stopped stay so."""


class OpenBatches(Protocol):
    """Batches that may have jobs which have not ended: the watchdog looks at no others."""

    def note(self, batch_id: str, *, surely: bool = False) -> None:
        """Say that a job of a batch was sent or has begun; most calls cost nothing.

        Args:
            batch_id: of the batch.
            surely: note it even if this process has done so lately.
        """

    def noted(self) -> list[str]:
        """Return the batches that may have jobs at work; others have none."""
