"""`/operations/audit`: who did what."""

from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from imaginem.ports import AuditDeed
from imaginem.usecases.audit.reading import audit_page
from imaginem.web.audit_models import Day, WantedAudit, present_audit
from imaginem.web.dependencies import Operator, ServicesDep
from imaginem.web.pages.render import render
from imaginem.web.requests import Cursor

_SHOWN = 100

router = APIRouter(prefix="/operations/audit")


@router.get("")
def audit(
    caller: Operator,
    services: ServicesDep,
    request: Request,
    wanted: WantedAudit,
    day: Day = None,
    cursor: Cursor = "",
) -> HTMLResponse:
    """Show what was done on a day, latest first; with a cursor, only the rows that follow."""
    page = present_audit(audit_page(services, day, wanted, cursor, _SHOWN))
    asked = {
        "day": page.day.isoformat(),
        "who": wanted.who,
        "deed": wanted.deed,
        "batch": wanted.batch_id,
        "job": wanted.job_id,
    }
    fields = {name: value for name, value in asked.items() if value}
    values = {
        "page": page,
        "asked": asked,
        "deeds": [deed.value for deed in AuditDeed],
        "following": urlencode({**fields, "cursor": page.cursor}) if page.cursor else "",
    }
    return render(request, "_audit_rows.html" if cursor else "audit.html", values)
