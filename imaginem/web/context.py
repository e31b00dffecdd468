"""What the routes of one app need; several apps in one process share nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field

from imaginem.pipeline.steps import Registry
from imaginem.ports import DashboardServices
from imaginem.web.access import Access
from imaginem.web.turns import Turns


@dataclass(frozen=True)
class WebContext:
    """The parts of an app; it is kept in the app's state.

    Attributes:
        registry: the steps.
        access: who may call.
        services: called for each request, so that nothing is built before it is needed.
        turns: of requests that decode photos.
    """

    registry: Registry
    access: Access
    services: Callable[[], DashboardServices]
    turns: Turns = field(default_factory=Turns)
