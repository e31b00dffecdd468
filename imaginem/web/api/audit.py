"""`/api/audit`."""

from fastapi import APIRouter

from imaginem.usecases.audit.reading import audit_page
from imaginem.web.audit_models import AuditDay, Day, WantedAudit, present_audit
from imaginem.web.dependencies import Operator, ServicesDep
from imaginem.web.problems import responses
from imaginem.web.requests import Cursor, Limit

router = APIRouter(prefix="/api", tags=["operations"])


@router.get("/audit", responses=responses(422))
def audit(
    caller: Operator,
    services: ServicesDep,
    wanted: WantedAudit,
    day: Day = None,
    cursor: Cursor = "",
    limit: Limit = 100,
) -> AuditDay:
    """List what was done on a day, latest first; that it was read is recorded, too."""
    return present_audit(audit_page(services, day, wanted, cursor, limit))
