"""Models of the API's answers on the audit trail, and what an address asks of it."""

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import Depends, HTTPException, Query
from pydantic import Field

from imaginem.ports import AuditDeed
from imaginem.usecases.audit.reading import AuditFilter, AuditPage
from imaginem.web.models import Answer
from imaginem.web.requests import EMPTY_IS_NONE


class AuditEntry(Answer):
    """What somebody did; `subject` and `batch` are keyed hashes of ids."""

    at: datetime
    who: str = Field(examples=["anna@example.org"])
    deed: str = Field(examples=["viewed"])
    kind: str = Field(examples=["job"])
    subject: str
    batch: str
    purpose: str
    chain: str
    number: int


class AuditDay(Answer):
    """Entries of a day, latest first; `cut` if the day has too many to be looked through."""

    day: date
    entries: list[AuditEntry]
    cursor: str = ""
    cut: bool = False


_Text = Annotated[str, Query(max_length=512)]


async def audit_filter(
    who: Annotated[str, Query(max_length=200, description="The name of a login.")] = "",
    deed: Annotated[AuditDeed | Literal[""], Query(description="What was done.")] = "",
    batch: _Text = "",
    job: Annotated[str, Query(max_length=512, description="With its batch.")] = "",
) -> AuditFilter:
    """Read from an address which entries are meant.

    Raises:
        HTTPException: 422, a job without its batch.
    """
    if job.strip() and not batch.strip():
        raise HTTPException(422, "job: name its batch, too")
    return AuditFilter(who.strip(), deed, batch.strip(), job.strip())


WantedAudit = Annotated[AuditFilter, Depends(audit_filter)]
"""Which entries an address means."""

Day = Annotated[date | None, EMPTY_IS_NONE, Query(description="In UTC; today if there is none.")]


def present_audit(page: AuditPage) -> AuditDay:
    """Return a page of the trail."""
    entries = [AuditEntry.model_validate(entry) for entry in page.entries]
    return AuditDay(day=page.day, entries=entries, cursor=page.cursor, cut=page.cut)
