"""Removes from a home what erased data left in its files, while nothing works on them."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from imaginem.errors import ImaginemError
from imaginem.host.leftover import end_leftover
from imaginem.ports import Landing
from imaginem.storage import FileRemains
from imaginem.storage.books import waiting_messages
from imaginem.storage.compaction import FolderDisk, compact, settle

_logger = logging.getLogger("imaginem.host")
_END_SECONDS = 30


@dataclass(frozen=True)
class Compacting:
    """Compacts a home; whoever calls holds its lock, and its emulator does not run.

    Attributes:
        data: folder of the emulator's files; None where the storage is not ours.
        remains: the note that something was erased.
        landing: what was accepted; decisions to erase lie there, with the ids of what was erased.
        write_database_anew: tells whether nobody stood in its way.
        disk: writes the emulator's files anew.
    """

    data: Path | None
    remains: FileRemains
    landing: Landing
    write_database_anew: Callable[[], bool]
    disk: FolderDisk | None = None

    def when_at_rest(self) -> None:
        """Compact if something was erased; whatever stands in the way of that is told, not raised.

        Raises:
            ConfigurationError: an interrupted compaction can't be brought to its end.
        """
        if self.data is not None:
            settle(self.data, self.disk)
        if not self.remains.waiting:
            return
        try:
            if self.remains.halfway and self._messages():
                waits = [_messages_wait(self._messages())]
            else:
                _logger.info("removing from this disk what was erased; this may be interrupted")
                waits = self.run()
        except ImaginemError as problem:
            waits = [str(problem)]
        if waits:
            _logger.warning(
                "traces of what was erased may still lie on this disk: %s. This is done at the "
                "next stop or start, or with `imaginem compact`",
                "; ".join(waits),
            )
        else:
            _logger.info("nothing of what was erased is left in the files of this home")

    def run(self) -> list[str]:
        """Compact; return what may still be of something that was erased, and why.

        Raises:
            ConfigurationError: the files can't be understood or written; one store is whole.
            DiskFull: there is no room for a copy.
        """
        if self.data is not None:
            end_leftover(self.data, _END_SECONDS)
            compact(self.data, self.disk)
        self._settle_decisions()
        waits = []
        if not self.write_database_anew():
            waits.append("another program has the database open: end it")
        if self.landing.decisions():
            waits.append("storage did not end in good order: decisions are carried out again first")
        messages = self._messages()
        if waits:
            return [*waits, *([_messages_wait(messages)] if messages else [])]
        self.remains.compacted(whole=not messages)
        return [_messages_wait(messages)] if messages else []

    def _messages(self) -> int:
        there = self.data is not None and self.data.is_dir()
        return waiting_messages(self.data) if there and self.data is not None else 0

    def _settle_decisions(self) -> None:
        """Remove decisions that storage has saved: it ended in good order after them."""
        stopped = self.landing.stopped_at()
        for decision in self.landing.decisions():
            if stopped is not None and decision.at is not None and decision.at <= stopped:
                self.landing.settle(decision)


def _messages_wait(count: int) -> str:
    return f"{count} messages wait on queues, and one may be of what was erased"
