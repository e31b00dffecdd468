"""`pipeline_output`, and the labels and text that search needs."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import delete, select

from imaginem.ports import JobKey, JobResult
from imaginem.sql.batches import note_batch
from imaginem.sql.database import Database
from imaginem.sql.schema import Label, PipelineOutput, now
from imaginem.sql.types import job_number
from imaginem.sql.upsert import upsert

_NAME_LIMIT = 200


class SqlResults:
    """Jobs' results in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, result: JobResult) -> None:
        """Write a job's result and its labels; the same job again replaces both."""
        key = (result.batch_id, result.id)
        self._database.check_key(key)
        outputs, job = result.job_output, job_number(*key)
        with self._database.session() as session:
            note_batch(session, result.batch_id)
            upsert(
                session,
                PipelineOutput,
                {"batch_id": result.batch_id, "id": result.id},
                {
                    "processing_pipeline": ",".join(result.processing_pipeline),
                    "image_url": result.image_url,
                    "image_parameters": to_json(result.image_parameters).decode(),
                    "photo_url": result.photo_url,
                    "job_output": to_json(dict(outputs)).decode(),
                    "unfinished": ",".join(result.unsuccessful),
                    "full_text": str(_part(outputs, "ocr", "full_text") or "").casefold(),
                    "problems": int(bool(result.unsuccessful)),
                    "faces": len(_items(outputs, "facedetection", "faces")),
                    "timestamp": now(),
                },
                job=job,
            )
            session.execute(delete(Label).where(Label.job == job))
            session.add_all(
                Label(job=job, kind=kind, name=name, confidence=confidence)
                for (kind, name), confidence in labels(outputs).items()
            )

    def read(self, key: JobKey) -> JobResult | None:
        """Return a job's result."""
        with self._database.session(reading=True) as session:
            row = session.get(PipelineOutput, key)
            return None if row is None else _result(row)

    def batch(self, batch_id: str) -> Iterator[JobResult]:
        """Return a batch's results, by job id."""
        query = (
            select(PipelineOutput)
            .where(PipelineOutput.batch_id == batch_id)
            .order_by(PipelineOutput.id)
        )
        with self._database.session(reading=True) as session:
            rows = session.scalars(query).all()
        return (_result(row) for row in rows)


def _result(row: PipelineOutput) -> JobResult:
    return JobResult(
        batch_id=row.batch_id,
        id=row.id,
        processing_pipeline=row.processing_pipeline.split(","),
        image_url=row.image_url,
        image_parameters=from_json(row.image_parameters),
        photo_url=row.photo_url,
        job_output=from_json(row.job_output),
        unsuccessful=tuple(name for name in row.unfinished.split(",") if name),
        timestamp=row.timestamp,
    )


def _part(outputs: Mapping[str, Any], step: str, name: str) -> Any:
    """Return a field of a step's output; outputs may be pre-filled with anything."""
    output = outputs.get(step)
    return output.get(name) if isinstance(output, dict) else None


def _items(outputs: Mapping[str, Any], step: str, name: str) -> list[dict[str, Any]]:
    """Return a field that is a list of objects, without what is none."""
    value = _part(outputs, step, name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def labels(outputs: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    """Return the photo's labels by kind and name, each with its best confidence."""
    found: dict[tuple[str, str], float] = {}
    for kind, field, name_field, score_field in (
        ("tag", "tags", "name", "confidence"),
        ("category", "categories", "name", "score"),
        ("object", "objects", "object", "confidence"),
    ):
        for item in _items(outputs, "generalclassification", field):
            name, score = item.get(name_field), item.get(score_field)
            if isinstance(name, str) and name and isinstance(score, int | float):
                label = (kind, name[:_NAME_LIMIT])
                found[label] = max(found.get(label, 0.0), float(score))
    return found
