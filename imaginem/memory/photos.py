"""In-memory fakes of what SQL knows of photos: which are barred, and which jobs have them."""

from collections.abc import Iterable, Sequence

from imaginem.memory.database import MemoryDatabase
from imaginem.ports import BarredPhoto, JobKey


class MemoryBarredPhotos:
    """`barred_photo` in memory."""

    def __init__(self, database: MemoryDatabase | None = None) -> None:
        self._database = database or MemoryDatabase()

    def bar(self, group: str, mark: str, who: str) -> bool:
        """Bar a photo."""
        with self._database.lock:
            if mark in self._database.barred:
                return False
            self._database.barred[mark] = BarredPhoto(group, mark, self._database.now(), who)
            return True

    def restore(self, photos: Iterable[BarredPhoto]) -> None:
        """Bar photos again."""
        for each in photos:
            self._database.barred.setdefault(each.mark, each)

    def lift(self, mark: str) -> bool:
        """Let a photo come back."""
        return self._database.barred.pop(mark, None) is not None

    def of_batch(self, batch_id: str) -> Sequence[BarredPhoto]:
        """List what is barred in a batch's group."""
        batch = self._database.opened.get(batch_id)
        group = batch.group if batch else ""
        return [each for each in self._database.barred.values() if each.group == group]

    def all(self) -> Sequence[BarredPhoto]:
        """List all that is barred."""
        return list(self._database.barred.values())


class MemoryKnownPhotos:
    """Which jobs have which photo, in memory."""

    def __init__(self, database: MemoryDatabase | None = None) -> None:
        self._database = database or MemoryDatabase()

    def jobs_with(self, sha256: str) -> set[JobKey]:
        """List the jobs of a photo."""
        with self._database.lock:
            sent = {key for key, each in self._database.submissions.items() if each.photo == sha256}
            faces = self._database.faces.values()
            return sent | {key for key, face in faces if face.photo_sha256 == sha256}

    def addresses(self, batch_id: str) -> dict[str, str]:
        """List the addresses of photos that have a result."""
        results = self._database.results.items()
        return {key[1]: r.photo_url for key, r in results if key[0] == batch_id and r.photo_url}
