"""The HTTP app."""

import threading
from typing import TYPE_CHECKING, Any

from imaginem.pipeline.steps import Registry

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from imaginem.web.app import make_app

__all__ = ["WebApp", "make_app"]


class WebApp:
    """The HTTP app as an ASGI callable that is built when somebody first asks it something.

    Building it takes longer than loading all steps, and most processes of a function app only
    run steps.

    Args:
        registry: the steps.
        access: who may call it; see `imaginem.web.access`.
    """

    def __init__(self, registry: Registry, access: str = "local") -> None:
        self._registry, self._access = registry, access
        self._built: Any = None
        self._building = threading.Lock()

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer one request, as ASGI has it."""
        with self._building:
            if self._built is None:
                from imaginem.web.app import make_app

                self._built = make_app(self._registry, self._access)
        await self._built(scope, receive, send)


def __getattr__(name: str) -> Any:
    # Loads the web framework, so not before somebody takes it.
    if name == "make_app":
        from imaginem.web.app import make_app

        return make_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
