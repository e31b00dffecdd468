"""In-memory fake of the faces that were erased from photos that stay."""

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from imaginem.memory.database import MemoryDatabase
from imaginem.ports import Box, JobKey, SuppressedFace, SuppressedMark
from imaginem.ports.suppressed_faces import is_in_one_of


class MemorySuppressedFaces:
    """`suppressed_face` in memory, without hashes; a finished one has no key."""

    holds = ("suppressed_face",)

    def __init__(self, database: MemoryDatabase | None = None) -> None:
        self._database = database or MemoryDatabase()

    def suppress(self, face: SuppressedFace) -> None:
        """Keep a face with its group."""
        with self._database.lock:
            known = self._database.suppressed
            group = self._group(face.key[0])
            kept_group, kept = known.get(face.face_id, (group, face))
            known[face.face_id] = kept_group, replace(kept, key=face.key)

    def is_any(self, batch_id: str) -> bool:
        """Look for one of the group."""
        group = self._group(batch_id)
        return any(group == each for each, _ in self._database.suppressed.values())

    def among(
        self, batch_id: str, photo_sha256: str, faces: Mapping[uuid.UUID, Box | None]
    ) -> set[uuid.UUID]:
        """Compare ids and places."""
        known, group = self._database.suppressed, self._group(batch_id)
        places = [
            face.box
            for each, face in known.values()
            if each == group and face.box and photo_sha256 and face.photo_sha256 == photo_sha256
        ]
        return {
            face_id
            for face_id, box in faces.items()
            if (face_id in known and known[face_id][0] == group) or is_in_one_of(box, places)
        }

    def unfinished(self) -> list[SuppressedFace]:
        """List those that have a key."""
        faces = [face for _, face in self._database.suppressed.values()]
        return [replace(face, photo_sha256="") for face in faces if face.key != ("", "")]

    def all(self) -> list[SuppressedMark]:
        """List all; hashes are plain ids here."""
        known = self._database.suppressed.values()
        return [
            SuppressedMark(str(face.face_id), face.photo_sha256, group, face.box)
            for group, face in known
        ]

    def restore(self, marks: Iterable[SuppressedMark]) -> None:
        """Keep those that are not known."""
        for each in marks:
            face = SuppressedFace(uuid.UUID(each.face), ("", ""), each.photo, each.box)
            self._database.suppressed.setdefault(face.face_id, (each.group, face))

    def finish(self, face_id: uuid.UUID) -> None:
        """Forget the key of a face."""
        self._forget(lambda face: face.face_id == face_id)

    def erase(self, key: JobKey) -> None:
        """Forget a job."""
        self._forget(lambda face: face.key == key)

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Forget a batch."""
        self._forget(lambda face: face.key[0] == batch_id)

    def _forget(self, is_meant: Callable[[SuppressedFace], bool]) -> None:
        for face_id, (group, face) in self._database.suppressed.items():
            if is_meant(face):
                self._database.suppressed[face_id] = group, replace(face, key=("", ""))

    def _group(self, batch_id: str) -> str:
        batch = self._database.opened.get(batch_id)
        return batch.group if batch else ""
