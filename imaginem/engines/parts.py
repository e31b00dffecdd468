"""What engines are made of, besides settings."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imaginem.ports import Registers, ServiceFaces, Telemetry

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential


@dataclass(frozen=True)
class EngineParts:
    """Handed to the engines by `runtime`; what costs something to make is made when called.

    Attributes:
        registers: where the calls of all instances are paced.
        telemetry: where calls are counted.
        service_faces: which face is called what by a service.
        credential: of the app's identity.
    """

    registers: Registers
    telemetry: Telemetry
    service_faces: Callable[[], ServiceFaces]
    credential: "Callable[[], TokenCredential]"
