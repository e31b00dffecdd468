"""On which ports a process of ours listens: told by itself, since others may answer there."""

import os
from contextlib import suppress

VARIABLE = "IMAGINEM_LISTENING"
"""Names to the process the pipe into which it writes each port; see `lifeline.cjs`."""


class ListeningReport:
    """A pipe into which a process writes the ports on which it listens, a line each.

    Attributes:
        writer: the end that is handed to the process; this process must give it up by `started`.
    """

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._said = b""

    def started(self) -> None:
        """Leave the writing to the process, which has its end of the pipe now."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def ports(self) -> set[int]:
        """Return the ports that it has told of so far."""
        with suppress(BlockingIOError):
            while said := os.read(self._reader, 1000):
                self._said += said
        return {int(line) for line in self._said.split(b"\n")[:-1] if line.isdigit()}

    def close(self) -> None:
        """Ask no more."""
        self.started()
        os.close(self._reader)
