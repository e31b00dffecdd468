"""`/photos/{batch_id}/{job_id}`."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response

from imaginem.errors import ImaginemError
from imaginem.images.exif import read_exif
from imaginem.pipeline.progress_row import ENDED
from imaginem.usecases.erase import forget_job
from imaginem.usecases.renditions import original, size_of, version_of
from imaginem.usecases.submit import run_again
from imaginem.web.access import Caller
from imaginem.web.context import Site
from imaginem.web.pages.boxes import found_in, polygon
from imaginem.web.pages.render import render
from imaginem.web.presenters import job_of


def single_photo_pages(site: Site) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/photos")
    viewer: Any = site.access.needs("viewer")
    caseworker: Any = site.access.needs("caseworker")

    @router.get("/{batch_id}/{job_id}")
    def photo(
        caller: Annotated[Caller, viewer], request: Request, batch_id: str, job_id: str
    ) -> HTMLResponse:
        services, key = site.services(), site.visible(batch_id, job_id, caller)
        job, result = job_of(services, key, caller), services.results.read(key)
        size, problem = (0, 0), ""
        if result is not None:
            try:
                size = size_of(services, result)
            except ImaginemError as told:
                problem = str(told)
        parameters = job.image_parameters
        name = parameters.get("original_name") if isinstance(parameters, dict) else None
        values = {
            "job": job,
            "name": str(name or job.job_id),
            "version": version_of(result) if result else "",
            "shown": result is not None and not problem,
            "problem": problem,
            "ended": job.state in ENDED,
            "found": found_in(job.job_output or {}, size),
            "polygon": polygon,
            "raw": json.dumps(job.model_dump(mode="json"), indent=2, ensure_ascii=False),
        }
        return render(request, "photo.html", values)

    @router.get("/{batch_id}/{job_id}/file")
    def file(
        caller: Annotated[Caller, viewer],
        request: Request,
        batch_id: str,
        job_id: str,
        gps: bool = False,
    ) -> HTMLResponse:
        if gps and not caller.may("caseworker"):
            raise HTTPException(403, "this needs the app role caseworker")
        result = site.result(batch_id, job_id, caller)
        told = read_exif(original(site.services(), result), gps=gps)
        return render(request, "_file.html", {"told": told, "gps": gps, "job": result})

    @router.post("/{batch_id}/{job_id}/erase")
    def erase(caller: Annotated[Caller, caseworker], batch_id: str, job_id: str) -> Response:
        forget_job(site.services(), site.visible(batch_id, job_id, caller))
        return Response(status_code=204, headers={"HX-Redirect": "/photos"})

    @router.post("/{batch_id}/{job_id}/retry")
    def retry(caller: Annotated[Caller, caseworker], batch_id: str, job_id: str) -> Response:
        run_again(site.services(), site.visible(batch_id, job_id, caller))
        return Response(status_code=204, headers={"HX-Refresh": "true"})

    _ = (photo, file, erase, retry)
    return router
