"""What own steps found, as conditions of a query."""

from typing import Any

from sqlalchemy import ColumnElement, exists
from sqlalchemy.orm import aliased

from imaginem.ports.own_outputs.conditions import COMPARED, Condition
from imaginem.sql.schema import PhotoFact


def has_fact(job: Any, condition: Condition) -> ColumnElement[bool]:
    """Return the condition that a step said this of a photo.

    Args:
        job: the column of the outer query with the job's number.
        condition: what was asked for.
    """
    fact = aliased(PhotoFact)
    column, value = fact.number, condition.number or 0.0
    said = (
        COMPARED[condition.sign](column, value)
        if condition.text is None
        else fact.text == condition.text
    )
    return exists().where(fact.job == job, fact.name == condition.name, said)
