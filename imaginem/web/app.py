"""The HTTP app: the API, and the pages that people use."""

from collections.abc import Callable

from fastapi import Depends, FastAPI

import imaginem
from imaginem.pipeline.steps import Registry
from imaginem.ports import DashboardServices
from imaginem.runtime import default_runtime
from imaginem.web import api, pages
from imaginem.web.access import Access
from imaginem.web.bodies import Bodies
from imaginem.web.context import WebContext
from imaginem.web.dependencies import label_lines
from imaginem.web.guard import Guard
from imaginem.web.problems import ProblemHandlers

_ABOUT = """\
Send photos, follow them through the pipeline, and find what is in them, and who.

Errors are problem documents (RFC 9457). In an address, an id's `%`, `/`, `\\`, `#` and `?` are
percent-encoded twice; other characters once, as usual.
"""


def make_app(
    registry: Registry,
    access: str = "local",
    services: Callable[[], DashboardServices] = default_runtime,
) -> FastAPI:
    """Return the HTTP app for these steps.

    Args:
        registry: the steps.
        access: who may call it; see `imaginem.web.access`.
        services: called for each request, so that nothing is built before it is needed.
    """
    app = FastAPI(
        title="Imaginem",
        version=imaginem.__version__,
        description=_ABOUT,
        docs_url=None,  # replaced by `pages/docs.py`: FastAPI's loads scripts from elsewhere
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(label_lines)],
    )
    app.state.web = WebContext(registry, Access(access), services)
    problems = ProblemHandlers(pages.error_page)
    problems.handle(app)
    app.add_middleware(Bodies)
    app.add_middleware(Guard, defect=problems.defect)
    for router in api.ROUTERS:
        app.include_router(router)
    for router in pages.ROUTERS:
        app.include_router(router, include_in_schema=False)
    return app
