"""The HTTP API; see docs/api.md."""

from fastapi import APIRouter

from imaginem.web.api.batch_actions import batch_actions
from imaginem.web.api.batches import batch_routes
from imaginem.web.api.faces import face_routes
from imaginem.web.api.images import image_routes
from imaginem.web.api.jobs import job_routes
from imaginem.web.api.operations import operations_routes
from imaginem.web.api.pipeline import pipeline_routes
from imaginem.web.context import Site

__all__ = ["api_routers"]


def api_routers(site: Site) -> list[APIRouter]:
    """Return the API's routes."""
    return [
        routes(site)
        for routes in (
            pipeline_routes,
            batch_routes,
            batch_actions,
            job_routes,
            image_routes,
            face_routes,
            operations_routes,
        )
    ]
