"""Files that steps bring: where they are here, and whether they are the declared ones."""

import threading
from pathlib import Path

from imaginem.assets.store import sha256_of
from imaginem.errors import ConfigurationError
from imaginem.ports.weights import FileSource


class WeightsStore:
    """The files of steps, in the folder of assets or in the steps' own.

    Args:
        folder: the setting IMAGINEM_ASSETS.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._right: set[tuple[Path, str, int]] = set()
        self._lock = threading.Lock()

    def place(self, source: FileSource) -> Path:
        """Return where a file is, or will be once it was fetched."""
        return Path(source.file) if source.file else self.folder / source.file_name

    def problem(self, source: FileSource) -> str:
        """Return what is wrong with a file; empty when it is the declared one."""
        place = self.place(source)
        if not place.is_file():
            return "is missing"
        found = sha256_of(place)
        return "" if found == source.sha256 else f"has another sha256 ({found})"

    def path(self, step: str, source: FileSource) -> Path:
        """Return the path of a step's file; a process calculates its sha256 once.

        Raises:
            ConfigurationError: it is missing, or not the declared one.
        """
        place = self.place(source)
        known = (place, source.sha256, place.stat().st_mtime_ns if place.is_file() else 0)
        with self._lock:
            if known not in self._right:
                if problem := self.problem(source):
                    raise ConfigurationError(told(step, source, problem))
                self._right.add(known)
        return place


def told(step: str, source: FileSource, problem: str) -> str:
    """Return what is wrong with a step's file, and what to do."""
    if not source.file:
        return f"the step {step}: {source.place} {problem}: run `imaginem assets fetch`"
    fix = "put it there" if problem == "is missing" else "is it the right file, and sha256?"
    return f"the step {step}: {source.file} {problem}: {fix}"
