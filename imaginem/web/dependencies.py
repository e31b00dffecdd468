"""The routes' dependencies: the caller, the services, and what an address names.

A route's first dependency is its caller, so that callers without permission learn nothing from
the other checks.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, HTTPException, Request

from imaginem.ports import DashboardServices, JobKey
from imaginem.ports.log_lines import label
from imaginem.usecases.access import Caller, check_batch, check_job
from imaginem.usecases.audit.acting import act_as
from imaginem.web.addresses import unpath
from imaginem.web.context import WebContext


async def _web(request: Request) -> WebContext:
    context: WebContext = request.app.state.web
    return context


WebDep = Annotated[WebContext, Depends(_web)]
"""The parts of the app that was called."""


async def label_lines(request: Request) -> None:
    """Label the log lines of a request with the ids that its address names."""
    names = {"batch_id", "job_id"} & set(request.path_params)
    label(**{name: unpath(request.path_params[name]) for name in names})


async def _services(web: WebDep) -> DashboardServices:
    return web.services()


ServicesDep = Annotated[DashboardServices, Depends(_services)]
"""The services of the app that was called."""


@dataclass(frozen=True)
class Needs:
    """A dependency that gives the caller, who has this role at least.

    Attributes:
        role: read by the page that lists routes with their roles.
    """

    role: str

    async def __call__(
        self,
        request: Request,
        web: WebDep,
        principal: Annotated[
            str, Header(alias="X-MS-CLIENT-PRINCIPAL", include_in_schema=False)
        ] = "",
        purpose: Annotated[
            str, Header(alias="X-Purpose", max_length=200, include_in_schema=False)
        ] = "",
    ) -> Caller:
        """Return the caller, who is noted in the request's state for pages to show.

        Raises:
            HTTPException: 401 without a login, 403 without this role.
        """
        caller = web.access.caller(principal)
        if not caller.may(self.role):
            raise HTTPException(403, f"this needs the app role {self.role}; yours is {caller.role}")
        request.state.caller = caller
        act_as(caller.name, purpose or request.query_params.get("purpose", ""))
        return caller


Viewer = Annotated[Caller, Depends(Needs("viewer"))]
Caseworker = Annotated[Caller, Depends(Needs("caseworker"))]
Operator = Annotated[Caller, Depends(Needs("operator"))]


def _visible_batch(request: Request, caller: Viewer, services: ServicesDep, batch_id: str) -> str:
    name = unpath(batch_id)
    check_batch(services, name, caller)
    request.state.named = (name,)
    return name


VisibleBatch = Annotated[str, Depends(_visible_batch)]
"""The batch id that an address names; 404 for one that the caller may not see.

It is noted in the request's state: an error is answered as for a hidden one if there is no such
batch, whatever else is wrong with the request (`imaginem.web.problems`).
"""


def _visible_job(
    request: Request, caller: Viewer, services: ServicesDep, batch_id: str, job_id: str
) -> JobKey:
    key = unpath(batch_id), unpath(job_id)
    check_job(services, key, caller)
    request.state.named = key
    return key


VisibleJob = Annotated[JobKey, Depends(_visible_job)]
"""The job that an address names; 404 for one that the caller may not see."""
