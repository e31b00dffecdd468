"""Photos by what was found in them, batches, and what people say of faces."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json
from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select
from sqlalchemy.orm import Session, aliased, defer

from imaginem.errors import NotFound
from imaginem.ports import (
    FaceOwner,
    FacePair,
    FoundPhoto,
    Groups,
    JobKey,
    PhotoFilter,
    PhotoPage,
    Verdict,
)
from imaginem.sql.batches import SqlBatches, as_uuid, cursor_to, of_others, read_cursor
from imaginem.sql.gallery import owner_of
from imaginem.sql.schema import (
    FaceRow,
    Label,
    PipelineOutput,
    SubmissionRow,
    VerdictRow,
    now,
)
from imaginem.sql.types import job_number, portions
from imaginem.sql.upsert import upsert

_TAGS_SHOWN = 3


class SqlArchive(SqlBatches):
    """The archive in SQL: batches, and photos by what was found in them."""

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
            at, job = read_cursor(cursor)
            before = PipelineOutput.timestamp < at
            tie = and_(PipelineOutput.timestamp == at, PipelineOutput.job < as_uuid(job))
            query = query.where(or_(before, tie))
        query = query.order_by(PipelineOutput.timestamp.desc(), PipelineOutput.job.desc())
        with self._database.session(reading=True) as session:
            rows = session.execute(query.limit(limit + 1)).all()
            tags = _tags(session, [row.job for row in rows[:limit]])
        shown = rows[:limit]
        more = len(rows) > limit
        following = cursor_to(shown[-1].timestamp, shown[-1].job.hex) if more else ""
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

    def recent_faces(self, groups: Groups, limit: int) -> list[FaceOwner]:
        """Return the faces that were enrolled last."""
        query = select(FaceRow).options(defer(FaceRow.embedding)).order_by(FaceRow.number.desc())
        if groups is not None:
            query = query.where(~of_others(FaceRow.batch_id, groups))
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

    def forget(self, key: JobKey) -> None:
        """Remove a job's result, its labels and that it was sent."""
        job = job_number(*key)
        with self._database.session() as session:
            session.execute(delete(Label).where(Label.job == job))
            for table in (PipelineOutput, SubmissionRow):
                session.execute(delete(table).where(table.job == job))


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
        found.append(~of_others(PipelineOutput.batch_id, wanted.groups))
    return found


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
        unsuccessful=tuple(name for name in row.unfinished.split(",") if name),
        kept=bool(row.photo_url),
    )


def name_of(image_parameters: Any, otherwise: str) -> str:
    """Return the file name that a photo's sender told."""
    told = image_parameters.get("original_name") if isinstance(image_parameters, dict) else None
    return told if isinstance(told, str) and told else otherwise
