"""What erased data leaves on a disk until the files that held it are written anew."""

from typing import Protocol


class Remains(Protocol):
    """Remembers that something was erased whose bytes may still lie in files of this machine.

    The storage emulator and SQLite free the place of what is deleted, and leave the bytes there.
    """

    @property
    def waiting(self) -> bool:
        """Tell whether bytes of something that was erased may still lie on this disk."""

    def note(self) -> None:
        """Remember that something is erased; called before anything is deleted."""

    def wipe(self) -> None:
        """Remove what can be removed while everything runs; called after the deletions."""


class NoRemains:
    """For servers, whose disks are not ours to clean."""

    waiting = False

    def note(self) -> None:
        """Do nothing."""

    def wipe(self) -> None:
        """Do nothing."""
