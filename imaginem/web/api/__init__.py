"""The HTTP API; see docs/api.md."""

from imaginem.web.api import (
    audit,
    batch_actions,
    batches,
    costs,
    faces,
    images,
    jobs,
    operations,
    photos,
    pipeline,
    poison,
    receipts,
)

__all__ = ["ROUTERS"]

ROUTERS = (
    pipeline.router,
    batches.router,
    batch_actions.router,
    costs.router,
    jobs.router,
    images.router,
    faces.router,
    photos.router,
    operations.router,
    poison.router,
    audit.router,
    receipts.router,
)
"""The API's routes, in the order of its document."""
