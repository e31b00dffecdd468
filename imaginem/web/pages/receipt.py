"""The receipts of erasures: all of them for operators, and one for who has its id."""

from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from imaginem.usecases.kept_receipts import find_receipt, receipt_page
from imaginem.usecases.receipt_words import what_waits
from imaginem.web.dependencies import Caseworker, Operator, ServicesDep
from imaginem.web.pages.render import render
from imaginem.web.requests import Cursor

router = APIRouter()


@router.get("/operations/receipts")
def receipts(
    caller: Operator, services: ServicesDep, request: Request, cursor: Cursor = ""
) -> HTMLResponse:
    """List the receipts, the latest first; with a cursor, only the rows that follow."""
    page = receipt_page(services, cursor)
    following = urlencode({"cursor": page.cursor}) if page.cursor else ""
    shown = {"receipts": page.receipts, "following": following}
    return render(request, "_receipt_rows.html" if cursor else "receipts.html", shown)


@router.get("/receipts/{receipt_id}")
def receipt(
    caller: Caseworker, services: ServicesDep, request: Request, receipt_id: str
) -> HTMLResponse:
    """Show what an erasure removed, and what is still to come."""
    found = find_receipt(services, receipt_id)
    shown = {"receipt": found, "waits": what_waits(services, found)}
    return render(request, "receipt.html", shown)
