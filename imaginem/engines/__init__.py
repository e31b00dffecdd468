"""Selects the engines that the settings name; each is loaded when it is first used."""

from typing import TYPE_CHECKING

from imaginem.ports import FaceEngine, FaceGallery, FacePrintEngine, OcrEngine, VisionEngine
from imaginem.settings import Settings

if TYPE_CHECKING:
    from imaginem.assets import AssetStore


def _store(settings: Settings) -> "AssetStore":
    from imaginem.assets import AssetStore

    return AssetStore(settings.assets)


def vision_engine(settings: Settings) -> VisionEngine:
    """Return the engine of generalclassification."""
    from imaginem.engines.local.vision import LocalVision

    return LocalVision(_store(settings))


def ocr_engine(settings: Settings) -> OcrEngine:
    """Return the engine of ocr."""
    from imaginem.engines.local.ocr import LocalOcr

    return LocalOcr(_store(settings))


def face_engine(settings: Settings) -> FaceEngine:
    """Return the engine of facedetection."""
    from imaginem.engines.local.faces import LocalFaces

    return LocalFaces(_store(settings))


def face_print_engine(settings: Settings, gallery: FaceGallery) -> FacePrintEngine:
    """Return the engine of faceprint and facematch."""
    from imaginem.engines.local.prints import LocalPrints

    return LocalPrints(
        _store(settings),
        gallery,
        match_threshold=settings.match_threshold,
        possible_threshold=settings.possible_threshold,
        match_limit=settings.match_limit,
        model_file=settings.face_model,
    )
