"""What engines are made of, besides settings."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from imaginem.ports import ServiceFaces, SharedState, Telemetry

if TYPE_CHECKING:
    from imaginem.config.identity import TokenCredential


@dataclass(frozen=True)
class EngineParts:
    """Handed to the engines by `runtime`; what costs something to make is made when called.

    Attributes:
        shared_state: where the calls of all instances are paced.
        telemetry: where calls are counted.
        service_faces: which face is called what by a service.
        credential: of the app's identity.
        made: what engines of one account share, by its name; guarded by `lock`.
    """

    shared_state: SharedState
    telemetry: Telemetry
    service_faces: Callable[[], ServiceFaces]
    credential: "Callable[[], TokenCredential]"
    made: dict[str, Any] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
