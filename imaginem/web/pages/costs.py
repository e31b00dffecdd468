"""`/operations/costs`, and the costs on a batch's page."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from imaginem.usecases.cost_words import usd
from imaginem.usecases.costs import batch_costs, cost_by_batch, cost_by_month, cost_of_all
from imaginem.web.cost_models import present_all, present_costs, present_sums
from imaginem.web.dependencies import Operator, ServicesDep, Viewer, VisibleBatch
from imaginem.web.pages.render import render

router = APIRouter()


@router.get("/operations/costs")
def costs(caller: Operator, services: ServicesDep, request: Request) -> HTMLResponse:
    """Show what everything has cost: by month, by batch, by service."""
    whole = present_all(cost_of_all(services), cost_by_month(services), services.prices)
    batches = {name: present_sums(costs) for name, costs in cost_by_batch(services).items()}
    return render(request, "costs.html", {"costs": whole, "batches": batches, "usd": usd})


@router.get("/batches/{batch_id}/costs")
def costs_of_batch(
    caller: Viewer, services: ServicesDep, request: Request, batch_id: VisibleBatch
) -> HTMLResponse:
    """Show what a batch has cost: a part of its page."""
    shown = present_costs(batch_costs(services, batch_id), services.prices)
    return render(request, "_costs.html", {"costs": shown, "usd": usd})
