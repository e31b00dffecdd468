"""What own steps found, as conditions of a query.

SQLite knows nothing of how many rows meet a condition: it would go through half a million of them
for each photo. So it is told which way to go. Servers find that out by their statistics.
"""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, not_, select
from sqlalchemy.orm import Session, aliased

from imaginem.ports.own_outputs.conditions import COMPARED, Condition
from imaginem.sql.schema import PhotoFact

_FEW = 5_000
"""Photos of a condition that are rather gone through than all photos, the newest first."""


def fact_conditions(
    session: Session, job: Any, where: Sequence[Condition]
) -> list[ColumnElement[bool]]:
    """Return what must hold of a photo, of which steps said all this.

    Args:
        session: in which the query will be sent.
        job: the query's column with the job's number.
        where: what was asked for.
    """
    if not where:
        return []
    if session.get_bind().dialect.name != "sqlite":
        return [_said(job, condition) for condition in where]
    rarest = min((_jobs(session, condition) for condition in where), key=len)
    few = [job.in_(rarest)] if len(rarest) < _FEW else []
    return [*few, *(_said(job, condition, by_photo=True) for condition in where)]


def _jobs(session: Session, condition: Condition) -> Sequence[uuid.UUID]:
    """Return the photos that may meet a condition; of many, as many as need be known."""
    met = select(PhotoFact.job).where(*_meets(PhotoFact, condition))
    return session.scalars(met.distinct().limit(_FEW)).all()


def _said(job: Any, condition: Condition, *, by_photo: bool = False) -> ColumnElement[bool]:
    fact = aliased(PhotoFact)
    said = exists().where(fact.job == job, *_meets(fact, condition, by_photo=by_photo))
    if condition.unwanted is None:
        return said
    return and_(said, not_(_said(job, condition.unwanted, by_photo=by_photo)))


def _meets(fact: Any, condition: Condition, *, by_photo: bool = False) -> list[ColumnElement[bool]]:
    """Return the condition on a fact; `by_photo`, as an expression for which there is no index."""
    compare, named = COMPARED[condition.sign], fact.name == condition.name
    if condition.text is not None:
        text = fact.text.concat("") if by_photo else fact.text
        return [named, compare(text, condition.text)]
    number, begin = fact.number + 0 if by_photo else fact.number, condition.number or 0.0
    if condition.before is None:
        return [named, compare(number, begin)]
    within = and_(number >= begin, number < condition.before)
    return [named, within if condition.sign == "=" else not_(within)]
