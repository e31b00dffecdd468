"""Makes anew what photos are found by, of the outputs that are kept.

A step that declares fields, or other ones than before, says something of photos that were processed
earlier, too: their rows are written of what was stored, and nothing runs again.
"""

import math
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from imaginem.ports.own_outputs.index import Fact, IndexedOutputs, OutputIndexer
from imaginem.ports.searchable import labels_in, searched_text
from imaginem.ports.text_search import tokens_of
from imaginem.sql.database import Database
from imaginem.sql.removal import LOCK
from imaginem.sql.schema import Label, PhotoFact, PhotoText, PipelineOutput
from imaginem.sql.search_rows import write_search_rows

_READ = 200
"""Results that are read at once. Each is written by itself: nobody else writes to an SQLite file
meanwhile, and on PostgreSQL two who add new words could wait for each other."""
_CONFIDENCE = 1e-6
"""By how much a confidence may differ between two readings."""
_RESULTS = select(
    PipelineOutput.batch_id,
    PipelineOutput.id,
    PipelineOutput.job,
    PipelineOutput.job_output,
    PipelineOutput.timestamp,
)


@dataclass(frozen=True)
class Reindexed:
    """How far it has come.

    Attributes:
        total: results that there are.
        done: those that were looked at.
        changed: of them, those whose rows were written anew.
    """

    total: int
    done: int
    changed: int


@dataclass(frozen=True)
class _FoundBy:
    """What a photo is found by."""

    labels: Mapping[tuple[str, str], float]
    facts: frozenset[Fact]
    tokens: frozenset[str]

    def is_as(self, other: "_FoundBy") -> bool:
        return (
            self.facts == other.facts
            and self.tokens == other.tokens
            and self.labels.keys() == other.labels.keys()
            and all(
                math.isclose(self.labels[each], other.labels[each], abs_tol=_CONFIDENCE)
                for each in self.labels
            )
        )


def reindex(database: Database, index: OutputIndexer, batch_id: str = "") -> Iterator[Reindexed]:
    """Write the rows of photos that would be found by something else now; yield after each part.

    What is written stays when it is ended in between, and what is as it should be is not written:
    begun again, it only looks at what was done before. A photo keeps its place among those that are
    found by words; one that had none is the newest.

    Args:
        database: of the results.
        index: says what photos are found by of own steps' outputs.
        batch_id: of one batch alone; empty for all.
    """
    chosen = [PipelineOutput.batch_id == batch_id] if batch_id else []
    with database.session(reading=True) as session:
        counted = select(func.count()).select_from(PipelineOutput).where(*chosen)
        total = session.scalar(counted) or 0
    done = changed = 0
    last: uuid.UUID | None = None
    while True:
        query = _RESULTS.where(*chosen).order_by(PipelineOutput.job).limit(_READ)
        if last is not None:
            query = query.where(PipelineOutput.job > last)
        with database.session(reading=True) as session:
            rows = session.execute(query).all()
            stale = [row.job for row, *_ in _stale(session, rows, index)]
        changed += sum(_write(database, job, index) for job in stale)
        if rows:
            last, done = rows[-1].job, done + len(rows)
            yield Reindexed(max(total, done), done, changed)
        if len(rows) < _READ:
            return


def _write(database: Database, job: uuid.UUID, index: OutputIndexer) -> bool:
    """Write a result's rows if it still needs others; tell whether it did."""
    # The result is locked, so that one which is written meanwhile does not get the rows of this.
    query = _RESULTS.where(PipelineOutput.job == job).with_for_update()
    with database.session() as session:
        rows = session.execute(query.with_hint(PipelineOutput, LOCK, "mssql")).all()
        stale = list(_stale(session, rows, index))
        for row, outputs, own in stale:
            key = (row.batch_id, row.id)
            write_search_rows(session, key, outputs, own, row.timestamp, in_place=True)
        return bool(stale)


def _stale(
    session: Session, rows: Sequence[Any], index: OutputIndexer
) -> Iterator[tuple[Any, Mapping[str, Any], IndexedOutputs]]:
    """Yield the results that would be found by something else now, with what they have."""
    there = _rows_of(session, [row.job for row in rows])
    for row in rows:
        outputs = from_json(row.job_output)
        own = index(outputs)
        if not _found_by(outputs, own, row.batch_id).is_as(there[row.job]):
            yield row, outputs, own


def _found_by(outputs: Mapping[str, Any], own: IndexedOutputs, batch_id: str) -> _FoundBy:
    labels = labels_in(outputs, own)
    tokens = tokens_of(searched_text(outputs, own), labels, batch_id)
    return _FoundBy(labels, frozenset(own.facts), frozenset(tokens))


def _rows_of(session: Session, jobs: Sequence[uuid.UUID]) -> dict[uuid.UUID, _FoundBy]:
    """Return what photos are found by as it is stored."""
    labels: dict[uuid.UUID, dict[tuple[str, str], float]] = defaultdict(dict)
    facts: dict[uuid.UUID, set[Fact]] = defaultdict(set)
    named = select(Label.job, Label.kind, Label.name, Label.confidence)
    for job, kind, name, confidence in session.execute(named.where(Label.job.in_(jobs))):
        labels[job][kind, name] = confidence
    said = select(PhotoFact.job, PhotoFact.name, PhotoFact.number, PhotoFact.text)
    for job, name, number, text in session.execute(said.where(PhotoFact.job.in_(jobs))):
        facts[job].add(Fact(name, number, text))
    read = select(PhotoText.job, PhotoText.tokens).where(PhotoText.job.in_(jobs))
    tokens = {job: frozenset(text.split()) for job, text in session.execute(read)}
    return {
        job: _FoundBy(labels[job], frozenset(facts[job]), tokens.get(job, frozenset()))
        for job in jobs
    }
