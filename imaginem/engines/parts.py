"""What engines are made of."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from imaginem.config.settings import Settings
from imaginem.ports import FaceGallery, FaceIndex, ServiceFaces, SharedState, Telemetry

if TYPE_CHECKING:
    from imaginem.config.identity import TokenCredential


@dataclass(frozen=True)
class EngineParts:
    """Handed to `make_engine` by the runtime; what costs something to make is made when called.

    Attributes:
        settings: of the app.
        shared_state: where all instances keep the pace of their calls.
        telemetry: where calls are counted.
        gallery: the faces that are known.
        face_index: finds faces by their embeddings.
        service_faces: which of our faces has which id at the Face service.
        credential: of the app's identity.
        made: what several engines share, by name; guarded by `lock`.
    """

    settings: Settings
    shared_state: Callable[[], SharedState]
    telemetry: Telemetry
    gallery: Callable[[], FaceGallery]
    face_index: Callable[[], FaceIndex]
    service_faces: Callable[[], ServiceFaces]
    credential: "Callable[[], TokenCredential]"
    made: dict[str, Any] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
