"""Photos by what was found in them, batches, and what people say of faces."""

import base64
import json
import uuid
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import ColumnElement, and_, delete, exists, false, func, or_, select, update
from sqlalchemy.orm import Session, aliased, defer

from imaginem.errors import InvalidMessage, NotFound, PermanentError
from imaginem.ports import (
    BatchInfo,
    BatchPage,
    FaceOwner,
    FacePair,
    FoundPhoto,
    Groups,
    JobKey,
    PhotoFilter,
    PhotoPage,
    Submission,
    Verdict,
)
from imaginem.results.batches import note_batch
from imaginem.results.database import Database
from imaginem.results.gallery import owner_of
from imaginem.results.schema import (
    FaceRow,
    Label,
    PhotoBatch,
    PipelineOutput,
    SubmissionRow,
    VerdictRow,
    now,
)
from imaginem.results.types import job_number, portions
from imaginem.results.upsert import upsert

_TAGS_SHOWN = 3
_NO_CURSOR = "cursor is none of ours: take it from the page before, or leave it out"


class SqlArchive:
    """The archive in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def photos(self, wanted: PhotoFilter, cursor: str = "", limit: int = 48) -> PhotoPage:
        """Return photos, newest first."""
        # Not the outputs, which are long and which no list shows.
        query = select(
            PipelineOutput.job,
            PipelineOutput.batch_id,
            PipelineOutput.id,
            PipelineOutput.image_parameters,
            PipelineOutput.timestamp,
            PipelineOutput.faces,
            PipelineOutput.unfinished,
            PipelineOutput.photo_url,
        ).where(*_conditions(wanted))
        if cursor:
            at, job = _read_cursor(cursor)
            before = PipelineOutput.timestamp < at
            tie = and_(PipelineOutput.timestamp == at, PipelineOutput.job < _as_uuid(job))
            query = query.where(or_(before, tie))
        query = query.order_by(PipelineOutput.timestamp.desc(), PipelineOutput.job.desc())
        with self._database.session(reading=True) as session:
            rows = session.execute(query.limit(limit + 1)).all()
            tags = _tags(session, [row.job for row in rows[:limit]])
        shown = rows[:limit]
        more = len(rows) > limit
        following = _cursor(shown[-1].timestamp, shown[-1].job.hex) if more else ""
        return PhotoPage([_photo(row, tags[row.job]) for row in shown], following)

    def labels(self, wanted: PhotoFilter, kind: str, limit: int = 50) -> list[tuple[str, int]]:
        """Return the labels of these photos with their counts."""
        count = func.count()
        query = select(Label.name, count).where(Label.kind == kind)
        conditions = _conditions(wanted)
        if conditions:
            query = query.join(PipelineOutput, PipelineOutput.job == Label.job).where(*conditions)
        query = query.group_by(Label.name).order_by(count.desc(), Label.name).limit(limit)
        with self._database.session(reading=True) as session:
            return [(row[0], row[1]) for row in session.execute(query)]

    def batches(self, groups: Groups, cursor: str = "", limit: int = 50) -> BatchPage:
        """Return batches, newest first."""
        query = select(PhotoBatch).where(PhotoBatch.erased == false())
        if groups is not None:
            query = query.where(or_(PhotoBatch.group_name == "", PhotoBatch.group_name.in_(groups)))
        if cursor:
            at, batch_id = _read_cursor(cursor)
            tie = and_(PhotoBatch.created == at, PhotoBatch.batch_id < batch_id)
            query = query.where(or_(PhotoBatch.created < at, tie))
        query = query.order_by(PhotoBatch.created.desc(), PhotoBatch.batch_id.desc())
        with self._database.session(reading=True) as session:
            rows = session.scalars(query.limit(limit + 1)).all()
            shown = _counted(session, rows[:limit])
        last = shown[-1] if shown else None
        more = last is not None and len(rows) > limit
        return BatchPage(shown, _cursor(last.created, last.batch_id) if last and more else "")

    def batch(self, batch_id: str) -> BatchInfo | None:
        """Return a batch."""
        with self._database.session(reading=True) as session:
            row = session.get(PhotoBatch, batch_id)
            return _counted(session, [row])[0] if row is not None and not row.erased else None

    def groups_of(self, batch_ids: Collection[str]) -> dict[str, str]:
        """Return the groups of those batches that are some group's."""
        query = select(PhotoBatch.batch_id, PhotoBatch.group_name).where(
            PhotoBatch.group_name != ""
        )
        with self._database.session(reading=True) as session:
            return {
                row[0]: row[1]
                for some in portions(list(batch_ids))
                for row in session.execute(query.where(PhotoBatch.batch_id.in_(some)))
            }

    def open_batch(self, batch_id: str, group: str = "") -> str:
        """Note a batch; return whose it is."""
        with self._database.session() as session:
            row = note_batch(session, batch_id, group)
            if group and row.group_name != group:
                raise PermanentError(
                    f"batch {batch_id} is there already, and not this group's: choose another id"
                )
            return row.group_name

    def submitted(self, key: JobKey, run: str, parameters: Any = None) -> None:
        """Note that a photo was sent."""
        self._database.check_key(key)
        told = to_json(parameters, fallback=str).decode()
        with self._database.session() as session:
            note_batch(session, key[0])
            names = {"batch_id": key[0], "id": key[1], "since": now()}
            names |= {"run": run, "parameters": told}
            upsert(session, SubmissionRow, {"job": job_number(*key)}, names)

    def withdraw(self, key: JobKey) -> None:
        """Note that it was not sent after all."""
        with self._database.session() as session:
            session.execute(delete(SubmissionRow).where(SubmissionRow.job == job_number(*key)))

    def submission(self, key: JobKey) -> Submission | None:
        """Return how a job was sent last."""
        with self._database.session(reading=True) as session:
            row = session.get(SubmissionRow, job_number(*key))
            return _submission(row) if row else None

    def submissions(self, batch_id: str) -> dict[str, Submission]:
        """Return a batch's jobs that were sent."""
        query = select(SubmissionRow).where(SubmissionRow.batch_id == batch_id)
        with self._database.session(reading=True) as session:
            rows = session.scalars(query.order_by(SubmissionRow.id)).all()
            return {row.id: _submission(row) for row in rows}

    def recent_faces(self, groups: Groups, limit: int) -> list[FaceOwner]:
        """Return the faces that were enrolled last."""
        query = select(FaceRow).options(defer(FaceRow.embedding)).order_by(FaceRow.number.desc())
        if groups is not None:
            query = query.where(~_of_others(FaceRow.batch_id, groups))
        with self._database.session(reading=True) as session:
            return [owner_of(row) for row in session.scalars(query.limit(limit))]

    def judge(self, pair: FacePair, verdict: str, who: str) -> None:
        """Keep what a person says of two faces."""
        one, other = sorted(pair)
        row = {"face_id": one, "other_face_id": other}
        with self._database.session() as session:
            here = session.scalars(select(FaceRow.face_id).where(FaceRow.face_id.in_(pair)))
            if set(here) != set(pair):
                raise NotFound("one of the faces is not in the gallery any more")
            if verdict:
                told = {"verdict": verdict, "who": who[:200], "at": now()}
                upsert(session, VerdictRow, row, told)
            else:
                session.execute(
                    delete(VerdictRow).where(
                        VerdictRow.face_id == one, VerdictRow.other_face_id == other
                    )
                )

    def verdicts(self, face_ids: Sequence[uuid.UUID]) -> dict[FacePair, Verdict]:
        """Return what people said of these faces."""
        found: dict[FacePair, Verdict] = {}
        with self._database.session(reading=True) as session:
            for some in portions(face_ids):
                mine = or_(VerdictRow.face_id.in_(some), VerdictRow.other_face_id.in_(some))
                for row in session.scalars(select(VerdictRow).where(mine)):
                    told = Verdict(row.verdict, row.who, row.at)
                    found[row.face_id, row.other_face_id] = told
                    found[row.other_face_id, row.face_id] = told
        return found

    def finished(self, batch_id: str) -> list[str]:
        """Return the ids of a batch's jobs that have a result."""
        query = select(PipelineOutput.id).where(PipelineOutput.batch_id == batch_id)
        with self._database.session(reading=True) as session:
            return list(session.scalars(query))

    def forget(self, key: JobKey) -> None:
        """Remove a job's result, its labels and that it was sent."""
        job = job_number(*key)
        with self._database.session() as session:
            session.execute(delete(Label).where(Label.job == job))
            for table in (PipelineOutput, SubmissionRow):
                session.execute(delete(table).where(table.job == job))

    def forget_batch(self, batch_id: str) -> None:
        """Remove a batch."""
        with self._database.session() as session:
            mine = PhotoBatch.batch_id == batch_id
            session.execute(delete(PhotoBatch).where(mine, PhotoBatch.group_name == ""))
            session.execute(update(PhotoBatch).where(mine).values(erased=True))


def _submission(row: SubmissionRow) -> Submission:
    return Submission(row.run, row.since, from_json(row.parameters))


def _conditions(wanted: PhotoFilter) -> list[ColumnElement[bool]]:
    """Return a filter as SQL."""
    found: list[ColumnElement[bool]] = []
    for kind in ("tag", "category", "object"):
        name = getattr(wanted, kind)
        if name:
            own = aliased(Label)  # the query around may count labels itself
            named = (own.job == PipelineOutput.job, own.kind == kind, own.name == name)
            found.append(exists().where(*named))
    if wanted.text:
        text = wanted.text.casefold()  # as it is kept; see `SqlResults.save`
        found.append(PipelineOutput.full_text.contains(text, autoescape=True))
    if wanted.faces is not None:
        found.append(PipelineOutput.faces > 0 if wanted.faces else PipelineOutput.faces == 0)
    if wanted.since:
        found.append(PipelineOutput.timestamp >= wanted.since)
    if wanted.until:
        found.append(PipelineOutput.timestamp < wanted.until)
    if wanted.batch:
        found.append(PipelineOutput.batch_id == wanted.batch)
    if wanted.groups is not None:
        found.append(~_of_others(PipelineOutput.batch_id, wanted.groups))
    return found


def _of_others(batch_id: Any, groups: frozenset[str]) -> ColumnElement[bool]:
    """Return the condition that a batch is of another group."""
    return exists().where(
        PhotoBatch.batch_id == batch_id,
        PhotoBatch.group_name != "",
        PhotoBatch.group_name.not_in(groups),
    )


def _tags(session: Session, jobs: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[str]]:
    found: dict[uuid.UUID, list[tuple[float, str]]] = defaultdict(list)
    query = select(Label.job, Label.confidence, Label.name).where(Label.kind == "tag")
    for some in portions(jobs):
        for job, confidence, name in session.execute(query.where(Label.job.in_(some))):
            found[job].append((-confidence, name))
    named = {job: [name for _, name in sorted(told)[:_TAGS_SHOWN]] for job, told in found.items()}
    return defaultdict(list, named)


def _photo(row: Any, tags: Sequence[str]) -> FoundPhoto:
    return FoundPhoto(
        batch_id=row.batch_id,
        id=row.id,
        name=name_of(from_json(row.image_parameters), row.id),
        timestamp=row.timestamp,
        faces=row.faces,
        tags=tags,
        unfinished=tuple(name for name in row.unfinished.split(",") if name),
        kept=bool(row.photo_url),
    )


def name_of(image_parameters: Any, otherwise: str) -> str:
    """Return the file name that a photo's sender told."""
    told = image_parameters.get("original_name") if isinstance(image_parameters, dict) else None
    return told if isinstance(told, str) and told else otherwise


def _counted(session: Session, rows: Sequence[PhotoBatch]) -> list[BatchInfo]:
    ids = [row.batch_id for row in rows]
    done: dict[str, tuple[int, int, int]] = {}
    sent: dict[str, int] = {}
    problems = func.sum(PipelineOutput.problems)
    for some in portions(ids):
        counts = select(
            PipelineOutput.batch_id, func.count(), problems, func.sum(PipelineOutput.faces)
        ).where(PipelineOutput.batch_id.in_(some))
        for row in session.execute(counts.group_by(PipelineOutput.batch_id)):
            done[row[0]] = (row[1], int(row[2]), int(row[3]))
        query = select(SubmissionRow.batch_id, func.count()).where(SubmissionRow.batch_id.in_(some))
        sent |= {row[0]: row[1] for row in session.execute(query.group_by(SubmissionRow.batch_id))}
    return [
        BatchInfo(
            row.batch_id,
            row.group_name,
            row.created,
            sent.get(row.batch_id, 0),
            *done.get(row.batch_id, (0, 0, 0)),
        )
        for row in rows
    ]


def _cursor(at: datetime, what: str) -> str:
    raw = json.dumps([at.isoformat(), what], separators=(",", ":"))
    return base64.urlsafe_b64encode(raw.encode("ascii")).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[datetime, str]:
    try:
        padded = text + "=" * (-len(text) % 4)
        at, what = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None or not isinstance(what, str):
            raise ValueError
        what.encode()  # half a character is none of ours
        return moment.astimezone(UTC), what
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise InvalidMessage(_NO_CURSOR) from None


def _as_uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise InvalidMessage(_NO_CURSOR) from None
