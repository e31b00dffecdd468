"""`/receipts/{receipt_id}`: what was erased from where, for who erased it."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from imaginem.usecases.kept_receipts import find_receipt
from imaginem.usecases.receipt_words import what_waits
from imaginem.web.dependencies import Caseworker, ServicesDep
from imaginem.web.pages.render import render

router = APIRouter(prefix="/receipts")


@router.get("/{receipt_id}")
def receipt(
    caller: Caseworker, services: ServicesDep, request: Request, receipt_id: str
) -> HTMLResponse:
    """Show what an erasure removed, and what is still to come."""
    found = find_receipt(services, receipt_id)
    shown = {"receipt": found, "waits": what_waits(services, found)}
    return render(request, "receipt.html", shown)
