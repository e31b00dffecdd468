"""`/photos/{batch_id}/{job_id}`."""

import json
import uuid
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, Response

from imaginem.errors import ImaginemError
from imaginem.images.limits import PAGE_LIMIT
from imaginem.pipeline.states import ENDED
from imaginem.ports import DashboardServices, JobResult
from imaginem.usecases.erase import forget_job
from imaginem.usecases.findings import findings_of
from imaginem.usecases.forget_face import forget_face
from imaginem.usecases.jobs import photo_name, result_of, view_job
from imaginem.usecases.looked import look_of
from imaginem.usecases.own_outputs import OwnOutputs
from imaginem.usecases.renditions import facts_of, size_of, version_of
from imaginem.usecases.rerun import comparison_of, prepare_rerun, rerun_job
from imaginem.usecases.searching import has_words, hits_on_photo
from imaginem.usecases.submit import run_again
from imaginem.web.dependencies import Caseworker, ServicesDep, Viewer, VisibleJob, WebDep
from imaginem.web.pages.boxes import ShownPage, contents_of, polygon
from imaginem.web.pages.own_outputs import sections_of
from imaginem.web.pages.render import render
from imaginem.web.presenters import present_comparison, present_job
from imaginem.web.requests import check_place_role

_SHOWN_STEPS = ("generalclassification", "ocr", "facedetection", "facematch")
"""Steps whose findings have a place of their own on the page."""

router = APIRouter(prefix="/photos")


@router.get("/{batch_id}/{job_id}")
def photo(
    caller: Viewer,
    services: ServicesDep,
    web: WebDep,
    request: Request,
    key: VisibleJob,
    text: Annotated[str, Query(max_length=200)] = "",
    page: Annotated[int | None, Query(ge=1, le=PAGE_LIMIT)] = None,
) -> HTMLResponse:
    """Show a page of a photo with the outputs of its job; a search's words are marked on it."""
    view, result = view_job(services, key, caller), services.results.read(key)
    most = services.core_settings.match_limit
    job, own = present_job(view, most), OwnOutputs(web.registry)
    compared = comparison_of(services, key, caller)
    told = job.model_dump(mode="json", exclude={"looked"})  # the page says that in its places
    told["job_output"] = own.readable(told["job_output"])
    contents = contents_of(job.job_output or {})
    searched = text.strip() if has_words(text) else ""
    hits = hits_on_photo(contents.text, searched) if contents.text and searched else []
    shown = ShownPage(
        page or next((hit.page for hit in hits if hit.page), 1), contents, hits, searched
    )
    size, problem = _size(services, result, shown.number)
    values = {
        "job": job,
        "purposes": services.core_settings.purposes,
        "name": photo_name(job.image_parameters, job.job_id),
        "version": version_of(result) if result else "",
        "shown": result is not None and not problem,
        "problem": problem,
        "ended": job.state in ENDED,
        "contents": contents,
        "findings": findings_of(view),
        "own": sections_of(own.of_job(view)),
        "not_asked": own.not_asked(view),
        "cut_at": most if job.matches_may_have_more else 0,
        "searched": searched,
        "hits": hits,
        "size": size,
        "page": shown,
        "pages": min(contents.seen.pages, PAGE_LIMIT),
        "looks": {step: look_of(view, step) for step in _SHOWN_STEPS},
        "polygon": polygon,
        "page_limit": PAGE_LIMIT,
        "compared": present_comparison(compared) if compared else None,
        "raw": json.dumps(told, indent=2, ensure_ascii=False),
    }
    return render(request, "photo.html", values)


def _size(
    services: DashboardServices, result: JobResult | None, page: int
) -> tuple[tuple[int, int], str]:
    """Return width and height; if they can't be read, 0 for both, and why."""
    if result is None:
        return (0, 0), ""
    try:
        return size_of(services, result, page), ""
    except ImaginemError as problem:
        return (0, 0), str(problem)


@router.get("/{batch_id}/{job_id}/file")
def file(
    caller: Viewer, services: ServicesDep, request: Request, key: VisibleJob, gps: bool = False
) -> HTMLResponse:
    """Show what a photo's file says about camera, time and place: a part of its page."""
    check_place_role(caller, gps)
    result = result_of(services, key)
    facts = facts_of(services, result, gps=gps)
    return render(request, "_file.html", {"facts": facts, "gps": gps, "job": result})


@router.post("/{batch_id}/{job_id}/erase")
def erase(caller: Caseworker, services: ServicesDep, key: VisibleJob) -> Response:
    """Erase a job, and show the receipt."""
    done = forget_job(services, key)
    return Response(status_code=204, headers={"HX-Redirect": f"/receipts/{done.id}"})


@router.post("/{batch_id}/{job_id}/faces/{face_id}/erase")
def erase_face(
    caller: Caseworker, services: ServicesDep, key: VisibleJob, face_id: uuid.UUID
) -> Response:
    """Erase a face, and show the receipt; the photo stays."""
    done = forget_face(services, face_id, caller, key)
    return Response(status_code=204, headers={"HX-Redirect": f"/receipts/{done.id}"})


@router.post("/{batch_id}/{job_id}/retry")
def retry(caller: Caseworker, services: ServicesDep, key: VisibleJob) -> Response:
    """Run a job again."""
    run_again(services, key)
    return Response(status_code=204, headers={"HX-Refresh": "true"})


@router.post("/{batch_id}/{job_id}/rerun")
def rerun(
    caller: Caseworker,
    services: ServicesDep,
    key: VisibleJob,
    from_step: Annotated[str, Form(max_length=63)],
) -> Response:
    """Run a job again from a step."""
    rerun_job(services, key, prepare_rerun(services, key[0], from_step, {}))
    return Response(status_code=204, headers={"HX-Refresh": "true"})
