"""Searches few faces by a matrix in memory, many by a file."""

from pathlib import Path

from sqlalchemy.orm import Session

from imaginem.ports import Neighbor
from imaginem.sql.database import Database
from imaginem.sql.flat_index.matrix import MatrixSearch, TooMany
from imaginem.sql.flat_index.search import FileSearch
from imaginem.sql.probe import Probe

MOST_IN_MEMORY = 10_000
"""Faces of a kind that each process keeps in memory: 20 MB of 512 dimensions."""


class SearchBySize:
    """A matrix for each kind of few faces, a file for each of many.

    Args:
        database: has the embeddings.
        folder: of the files.
        most_in_memory: faces of a kind in a matrix.
    """

    def __init__(
        self, database: Database, folder: Path, most_in_memory: int = MOST_IN_MEMORY
    ) -> None:
        self._files = FileSearch(database, folder)
        self._matrices = MatrixSearch(database, most_in_memory)
        self._most = most_in_memory

    def nearest(self, session: Session, probe: Probe) -> list[Neighbor]:
        """Return the nearest faces."""
        if not self._files.path(probe.kind).exists():
            try:
                return self._matrices.nearest(session, probe)
            except TooMany:
                pass
        found = self._files.nearest(session, probe)
        if self._files.live(probe.kind) < self._most // 2:
            self._files.remove(probe.kind)
        return found

    def forget_removed(self) -> None:
        """Leave nothing of removed faces in memory or in files."""
        self._matrices.forget_removed()
        self._files.forget_removed()
