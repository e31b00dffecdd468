"""Paused batches: their jobs wait before their next step until somebody lets them go on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Pause:
    """Why a batch does not go on.

    Attributes:
        since: when it was paused.
        by: who paused it, as the login names them; empty where its budget did.
        because: the reason in one line; empty if none was given.
        resumed: when it was let go on; None as long as it is paused.
    """

    since: datetime
    by: str = ""
    because: str = ""
    resumed: datetime | None = None

    @property
    def of_budget(self) -> bool:
        """Whether nobody paused the batch: its budget was used up."""
        return not self.by


class Pauses(Protocol):
    """The batches that are paused."""

    def paused_for(self, batch_id: str) -> float | None:
        """Return for how many seconds a batch is paused; None if it is not.

        It is read together with the cancelled batches, so it costs no call of its own.
        """

    def pause(self, batch_id: str, pause: Pause) -> None:
        """Let a batch's jobs wait before their next step; a pause that there is stays.

        Raises:
            PermanentError: too many batches are paused.
        """

    def resume(self, batch_id: str) -> None:
        """Let a batch's jobs go on; nothing happens if it is not paused."""

    def pause_of(self, batch_id: str) -> Pause | None:
        """Return the pause of a batch; None if it is not paused. It is known within seconds."""

    def resumed(self) -> Mapping[str, datetime]:
        """Return when batches were let go on, by a hash of their ids; what is old is removed."""

    def forget(self, batch_id: str) -> None:
        """Let a batch's jobs go on, and keep nothing of its pause."""
