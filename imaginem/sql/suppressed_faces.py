"""Faces that were erased from photos that stay, in SQL."""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from imaginem.ports import Box, EnrolledFace, SuppressedFace, SuppressedMark
from imaginem.ports.suppressed_faces import is_in_one_of
from imaginem.sql.batches import groups_of
from imaginem.sql.database import Database
from imaginem.sql.schema import SuppressedFaceRow
from imaginem.sql.types import portions
from imaginem.sql.upsert import upsert

_FINISHED = {"face_id": None, "batch_id": "", "job_id": ""}
_NOWHERE = (0, 0, 0, 0)


class SqlSuppressedFaces:
    """Suppressed faces in SQL; a mark is asked for only where one is, or will be, suppressed."""

    holds = (SuppressedFaceRow.__tablename__,)

    def __init__(self, database: Database) -> None:
        self._database = database

    def suppress(self, face: SuppressedFace) -> None:
        """Commit that a face is erased; one that is known keeps its photo and place."""
        batch_id, job_id = face.key
        self._database.check_key(face.key)
        left, top, width, height = face.box or _NOWHERE
        own = {"face": self._face(face.face_id)}
        photo = self._photo(face.photo_sha256)
        with self._database.session() as session:
            upsert(
                session,
                SuppressedFaceRow,
                own,
                {"face_id": face.face_id, "batch_id": batch_id, "job_id": job_id},
                group_name=groups_of(session, [batch_id]).get(batch_id, ""),
                photo=photo,
                left=left,
                top=top,
                width=width,
                height=height,
            )

    def is_any(self, batch_id: str) -> bool:
        """Tell whether any face is suppressed in a batch's group."""
        with self._database.session(reading=True) as session:
            return _is_any(session, batch_id)

    def among(
        self, batch_id: str, photo_sha256: str, faces: Mapping[uuid.UUID, Box | None]
    ) -> set[uuid.UUID]:
        """Return those faces that are suppressed."""
        photo = self._photo(photo_sha256)
        by_mark = {self._face(face_id): face_id for face_id in faces}
        with self._database.session(reading=True) as session:
            places = _places(session, batch_id, photo)
            known = {
                mark
                for portion in portions(list(by_mark))
                for mark in session.scalars(
                    select(SuppressedFaceRow.face).where(
                        _in_group_of(session, batch_id), SuppressedFaceRow.face.in_(portion)
                    )
                )
            }
        return {by_mark[mark] for mark in known} | {
            face_id for face_id, box in faces.items() if is_in_one_of(box, places)
        }

    def without_suppressed(
        self, session: Session, batch_id: str, faces: Sequence[EnrolledFace]
    ) -> list[EnrolledFace]:
        """Return the faces but those that are suppressed, as a transaction sees it."""
        if not faces or not _is_any(session, batch_id):
            return list(faces)
        marks = [self._face(face.face_id) for face in faces]
        query = select(SuppressedFaceRow.face).where(
            _in_group_of(session, batch_id), SuppressedFaceRow.face.in_(marks)
        )
        known = set(session.scalars(query))
        places = {
            photo: _places(session, batch_id, self._photo(photo))
            for photo in {face.photo_sha256 for face in faces}
        }
        return [
            face
            for face, mark in zip(faces, marks, strict=True)
            if mark not in known and not is_in_one_of(face.rectangle, places[face.photo_sha256])
        ]

    def unfinished(self) -> list[SuppressedFace]:
        """Return the faces whose erasure is not finished."""
        query = select(SuppressedFaceRow).where(SuppressedFaceRow.face_id.is_not(None))
        with self._database.session(reading=True) as session:
            return [
                SuppressedFace(row.face_id, (row.batch_id, row.job_id), box=_box(row))
                for row in session.scalars(query.order_by(SuppressedFaceRow.since))
                if row.face_id is not None
            ]

    def all(self) -> list[SuppressedMark]:
        """Return every suppressed face."""
        with self._database.session(reading=True) as session:
            return [
                SuppressedMark(row.face, row.photo, row.group_name, _box(row))
                for row in session.scalars(select(SuppressedFaceRow))
            ]

    def restore(self, marks: Iterable[SuppressedMark]) -> None:
        """Insert those that are not there."""
        with self._database.session() as session:
            there = set(session.scalars(select(SuppressedFaceRow.face)))
            for each in marks:
                if each.face in there:
                    continue
                there.add(each.face)
                left, top, width, height = each.box or _NOWHERE
                session.add(
                    SuppressedFaceRow(
                        face=each.face,
                        photo=each.photo,
                        group_name=each.group,
                        left=left,
                        top=top,
                        width=width,
                        height=height,
                        **_FINISHED,
                    )
                )

    def finish(self, face_id: uuid.UUID) -> None:
        """Forget the ids of a face and its job."""
        self._forget_ids(SuppressedFaceRow.face_id == face_id)

    def erase(self, key: tuple[str, str]) -> None:
        """Forget the ids of a job and its faces, which stay suppressed."""
        batch_id, job_id = key
        self._forget_ids(SuppressedFaceRow.batch_id == batch_id, SuppressedFaceRow.job_id == job_id)

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Forget the ids of a batch's jobs and their faces, which stay suppressed."""
        self._forget_ids(SuppressedFaceRow.batch_id == batch_id)

    def _forget_ids(self, *named: ColumnElement[bool]) -> None:
        unfinished = SuppressedFaceRow.face_id.is_not(None)
        with self._database.session() as session:
            session.execute(update(SuppressedFaceRow).where(unfinished, *named).values(**_FINISHED))

    def _face(self, face_id: uuid.UUID) -> str:
        return self._database.mark("face", str(face_id))

    def _photo(self, sha256: str) -> str:
        """Return the keyed hash of a photo's hash; empty if that is not known."""
        return self._database.mark("photo", sha256) if sha256 else ""


def _is_any(session: Session, batch_id: str) -> bool:
    if session.scalar(select(SuppressedFaceRow.face).limit(1)) is None:
        return False  # asked several times a photo, and so it is nearly everywhere
    query = select(SuppressedFaceRow.face).where(_in_group_of(session, batch_id)).limit(1)
    return session.scalar(query) is not None


def _in_group_of(session: Session, batch_id: str) -> ColumnElement[bool]:
    group = groups_of(session, [batch_id]).get(batch_id, "")
    return SuppressedFaceRow.group_name == group


def _places(session: Session, batch_id: str, photo: str) -> list[Box]:
    if not photo:
        return []
    query = select(SuppressedFaceRow).where(
        _in_group_of(session, batch_id), SuppressedFaceRow.photo == photo
    )
    return [box for row in session.scalars(query) if (box := _box(row))]


def _box(row: SuppressedFaceRow) -> Box | None:
    box = (row.left, row.top, row.width, row.height)
    return None if box == _NOWHERE else box
