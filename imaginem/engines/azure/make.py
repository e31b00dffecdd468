"""Makes the Azure engines from settings."""

from imaginem.config.settings import ServiceSettings, Settings
from imaginem.engines.azure.calls import Service
from imaginem.engines.azure.face_lists import FaceLists
from imaginem.engines.azure.face_service import FaceService, face_clients
from imaginem.engines.azure.faces import AzureFaces
from imaginem.engines.azure.recognizer import AzureRecognizer
from imaginem.engines.azure.vision import AzureOcr, AzureVision, vision_client
from imaginem.engines.match_tiers import MatchTiers
from imaginem.engines.pacing import Pacer
from imaginem.engines.parts import EngineParts
from imaginem.ports import FaceGallery


def _service(name: str, settings: ServiceSettings, parts: EngineParts) -> Service:
    """Return the account's service: one for all its engines, so that they share their slots."""
    with parts.lock:
        if name not in parts.made:
            pacer = Pacer(parts.shared_state, name, settings.per_second)
            parts.made[name] = Service(name, pacer, parts.telemetry, price=settings.price)
        found: Service = parts.made[name]
        return found


def make_vision(settings: Settings, parts: EngineParts) -> AzureVision:
    """Return the engine of generalclassification."""
    client = vision_client(settings.vision, parts.credential)
    return AzureVision(client, _service("vision", settings.vision, parts))


def make_ocr(settings: Settings, parts: EngineParts) -> AzureOcr:
    """Return the engine of ocr."""
    client = vision_client(settings.vision, parts.credential)
    return AzureOcr(client, _service("vision", settings.vision, parts))


def _face_service(settings: Settings, parts: EngineParts) -> FaceService:
    clients = face_clients(settings.face, parts.credential)
    return FaceService(clients, _service("face", settings.face, parts))


def make_faces(settings: Settings, parts: EngineParts) -> AzureFaces:
    """Return the engine of facedetection."""
    recognition_at_azure = settings.face_print_engine == "azure"
    return AzureFaces(_face_service(settings, parts), recognition_at_azure=recognition_at_azure)


def make_lists(settings: Settings, parts: EngineParts) -> FaceLists:
    """Return the face lists of the account."""
    return FaceLists(_face_service(settings, parts), parts.service_faces(), settings.face_list)


def make_recognizer(
    settings: Settings, parts: EngineParts, gallery: FaceGallery
) -> AzureRecognizer:
    """Return the engine of faceprint and facematch."""
    return AzureRecognizer(
        _face_service(settings, parts),
        make_lists(settings, parts),
        gallery,
        parts.service_faces(),
        tiers=MatchTiers(settings.match_threshold, settings.possible_threshold),
        match_limit=settings.match_limit,
    )
