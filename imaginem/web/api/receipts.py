"""`/api/receipts`: what erasures left to be shown."""

from fastapi import APIRouter

from imaginem.usecases.kept_receipts import find_receipt, list_receipts
from imaginem.web.dependencies import Caseworker, Operator, ServicesDep
from imaginem.web.problems import responses
from imaginem.web.receipt_models import Receipt, present_receipt

router = APIRouter(prefix="/api/receipts", tags=["operations"])


@router.get("", responses=responses())
def receipts(caller: Operator, services: ServicesDep) -> list[Receipt]:
    """List the receipts of erasures by hand, the latest first."""
    return [present_receipt(receipt) for receipt in list_receipts(services)]


@router.get("/{receipt_id}", responses=responses(404))
def receipt(caller: Caseworker, services: ServicesDep, receipt_id: str) -> Receipt:
    """Return the receipt of an erasure as it was signed; who has its id may see it."""
    return present_receipt(find_receipt(services, receipt_id))
