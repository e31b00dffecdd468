"""The rows by which a photo is found: labels, words, and what own steps said in their fields."""

import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from imaginem.ports import JobKey
from imaginem.ports.own_outputs.index import Fact, IndexedOutputs
from imaginem.ports.searchable import labels_in, searched_text
from imaginem.ports.text_search import tokens_of
from imaginem.sql.schema import Label, PhotoFact, PhotoText
from imaginem.sql.text_types import as_column
from imaginem.sql.types import job_number

SEARCHED = (Label, PhotoText, PhotoFact)


def write_search_rows(
    session: Session,
    key: JobKey,
    outputs: Mapping[str, Any],
    own: IndexedOutputs,
    at: datetime,
    *,
    in_place: bool = False,
    new: bool = False,
) -> None:
    """Let a photo be found by its outputs, and by nothing that it was found by before.

    Args:
        session: that writes the result.
        key: of the job.
        outputs: by step.
        own: what it is found by of own steps' outputs.
        at: when the result was written.
        in_place: keep its place among the photos that are found by words; else it is the newest.
        new: the photo had no result, so it is found by nothing yet.
    """
    job, labels = job_number(*key), labels_in(outputs, own)
    number = _number_of(session, job) if in_place else None
    if not new:
        drop_search_rows(session, [job])
    session.add_all(
        Label(job=job, kind=kind, name=name, confidence=confidence, timestamp=at)
        for (kind, name), confidence in labels.items()
    )
    session.add_all(_fact_rows(job, own.facts))
    tokens = tokens_of(searched_text(outputs, own), labels, key[0])
    if tokens:
        known = {} if number is None else {"number": number}
        session.add(PhotoText(job=job, tokens=as_column(tokens), **known))


def drop_search_rows(session: Session, jobs: Sequence[uuid.UUID]) -> None:
    """Remove what photos are found by."""
    for table in SEARCHED:
        session.execute(delete(table).where(table.job.in_(jobs)))


def _number_of(session: Session, job: uuid.UUID) -> int | None:
    return session.scalar(select(PhotoText.number).where(PhotoText.job == job))


def _fact_rows(job: uuid.UUID, facts: Sequence[Fact]) -> Iterator[PhotoFact]:
    places: Counter[str] = Counter()
    for fact in facts:
        place = places[fact.name]
        places[fact.name] += 1
        yield PhotoFact(job=job, name=fact.name, place=place, number=fact.number, text=fact.text)
