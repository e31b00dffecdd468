"""The Azure AI accounts that the engines call, made from settings."""

from typing import Any

from imaginem.config.settings import ServiceSettings
from imaginem.engines.azure.calls import Service
from imaginem.engines.azure.face_lists import FaceLists
from imaginem.engines.azure.face_service import FaceService, face_clients
from imaginem.engines.azure.vision_client import make_vision_client
from imaginem.engines.pacing import Pacer
from imaginem.engines.parts import EngineParts


def _service(name: str, settings: ServiceSettings, parts: EngineParts) -> Service:
    """Return the service of an account: one for all its engines, so that they share its quota."""
    with parts.lock:
        if name not in parts.made:
            pacer = Pacer(parts.shared_state(), name, settings.per_second)
            parts.made[name] = Service(name, pacer, parts.telemetry, price=settings.price)
        service: Service = parts.made[name]
        return service


def vision_account(parts: EngineParts) -> tuple[Any, Service]:
    """Return the Computer Vision account: the SDK's client, which has no types, and the service."""
    settings = parts.settings.vision
    return make_vision_client(settings, parts.credential), _service("vision", settings, parts)


def face_account(parts: EngineParts) -> FaceService:
    """Return the Face account."""
    settings = parts.settings.face
    clients = face_clients(settings, parts.credential)
    return FaceService(clients, _service("face", settings, parts))


def face_lists(parts: EngineParts) -> FaceLists:
    """Return the face lists of the Face account."""
    return FaceLists(face_account(parts), parts.service_faces(), parts.settings.face_list)
