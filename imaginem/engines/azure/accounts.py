"""The Azure AI accounts that the engines call, made from settings."""

from typing import Any

from imaginem.config.settings import ServiceSettings
from imaginem.engines.azure.calls import Service
from imaginem.engines.azure.face_lists import FaceLists
from imaginem.engines.azure.face_service import FaceService, face_clients
from imaginem.engines.azure.operations import Operations
from imaginem.engines.azure.vision_client import make_vision_client
from imaginem.engines.pacing import Pacer
from imaginem.engines.parts import EngineParts

_QUESTIONS = 2.0
"""Questions for results that a service takes for each photo that it takes. Document Intelligence S0
takes 15 photos and 50 questions a second; Content Understanding 1,000 photos and 3,000 calls of any
kind a minute."""


def _service(name: str, settings: ServiceSettings, parts: EngineParts) -> Service:
    """Return the service of an account: one for all its engines, so that they share its quota."""
    with parts.lock:
        if name not in parts.made:
            pacer = Pacer(parts.shared_state(), name, settings.per_second)
            parts.made[name] = Service(name, pacer, parts.telemetry, price=settings.price)
        service: Service = parts.made[name]
        return service


def _operations(name: str, settings: ServiceSettings, parts: EngineParts) -> Operations:
    """Return what runs the operations of an account: calls and questions have a pace each."""
    results = f"{name}-results"
    service = _service(name, settings, parts)
    with parts.lock:
        if results not in parts.made:
            pacer = Pacer(parts.shared_state(), results, settings.per_second * _QUESTIONS)
            parts.made[results] = Service(name, pacer, parts.telemetry)
        return Operations(service, parts.made[results], parts.shared_state())


def document_account(parts: EngineParts) -> Operations:
    """Return what runs operations of the Document Intelligence account."""
    return _operations("documentintelligence", parts.settings.documentintelligence, parts)


def content_account(parts: EngineParts) -> tuple[Operations, Service]:
    """Return what runs operations of the Content Understanding account, and the service itself."""
    settings = parts.settings.contentunderstanding
    operations = _operations("contentunderstanding", settings, parts)
    return operations, _service("contentunderstanding", settings, parts)


def vision_account(parts: EngineParts) -> tuple[Any, Service]:
    """Return the Computer Vision account: the SDK's client, which has no types, and the service."""
    settings = parts.settings.vision
    return make_vision_client(settings, parts.credential), _service("vision", settings, parts)


def read_account(parts: EngineParts) -> tuple[Any, Operations]:
    """Return the Computer Vision account: its client, and what runs operations of Read.

    Questions for results count as calls there; Microsoft, "Call the Read API": ask every one to two
    seconds.
    """
    client, service = vision_account(parts)
    return client, Operations(service, service, parts.shared_state(), poll_seconds=1.0)


def face_account(parts: EngineParts) -> FaceService:
    """Return the Face account."""
    settings = parts.settings.face
    clients = face_clients(settings, parts.credential)
    return FaceService(clients, _service("face", settings, parts))


def face_lists(parts: EngineParts) -> FaceLists:
    """Return the face lists of the Face account."""
    return FaceLists(face_account(parts), parts.service_faces(), parts.settings.face_list)
