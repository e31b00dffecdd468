"""Selects the engines that the settings name; each is loaded when it is first used."""

from typing import TYPE_CHECKING

from imaginem.config.settings import Settings
from imaginem.engines.match_tiers import MatchTiers
from imaginem.engines.parts import EngineParts
from imaginem.ports import (
    FaceEngine,
    FaceGallery,
    FaceIndex,
    FaceRecognizer,
    OcrEngine,
    VisionEngine,
)

if TYPE_CHECKING:
    from imaginem.assets import AssetStore


def _store(settings: Settings) -> "AssetStore":
    from imaginem.assets import AssetStore

    return AssetStore(settings.assets)


def vision_engine(settings: Settings, parts: EngineParts) -> VisionEngine:
    """Return the engine of generalclassification."""
    if settings.vision_engine == "azure":
        from imaginem.engines.azure.make import make_vision

        return make_vision(settings, parts)
    from imaginem.engines.local.vision import LocalVision

    return LocalVision(_store(settings))


def ocr_engine(settings: Settings, parts: EngineParts) -> OcrEngine:
    """Return the engine of ocr."""
    if settings.vision_engine == "azure":
        from imaginem.engines.azure.make import make_ocr

        return make_ocr(settings, parts)
    from imaginem.engines.local.ocr import LocalOcr

    return LocalOcr(_store(settings))


def face_engine(settings: Settings, parts: EngineParts) -> FaceEngine:
    """Return the engine of facedetection."""
    if settings.face_engine == "azure":
        from imaginem.engines.azure.make import make_faces

        return make_faces(settings, parts)
    from imaginem.engines.local.faces import LocalFaces

    return LocalFaces(_store(settings))


def maintain_faces(settings: Settings, parts: EngineParts) -> None:
    """Do what is to be done now and then in the Face account, if there is one.

    Where prints are made here by now, faces that were erased must still go there.
    """
    if settings.face.endpoint:
        from imaginem.engines.azure.make import make_lists

        make_lists(settings, parts).maintain(train=settings.face_print_engine == "azure")


def face_recognizer(
    settings: Settings, parts: EngineParts, gallery: FaceGallery, index: FaceIndex
) -> FaceRecognizer:
    """Return the engine of faceprint and facematch."""
    if settings.face_print_engine == "azure":
        from imaginem.engines.azure.make import make_recognizer

        return make_recognizer(settings, parts, gallery)
    from imaginem.engines.local.recognizer import FaceEmbedder, LocalRecognizer

    return LocalRecognizer(
        FaceEmbedder(_store(settings), settings.face_model),
        gallery,
        index,
        tiers=MatchTiers(settings.match_threshold, settings.possible_threshold),
        match_limit=settings.match_limit,
    )


def engine_names(settings: Settings) -> dict[str, str]:
    """Return the names of engines and models in use, without making them."""
    names: dict[str, str] = {}
    if settings.vision_engine == "azure":
        from imaginem.engines.azure.vision import AzureOcr, AzureVision

        names |= {"vision": AzureVision.name, "ocr": AzureOcr.name}
    else:
        from imaginem.engines.local.ocr import LocalOcr
        from imaginem.engines.local.vision import LocalVision

        names |= {"vision": LocalVision.name, "ocr": LocalOcr.name}
    if settings.face_engine == "azure":
        from imaginem.engines.azure.faces import AzureFaces

        names["faces"] = AzureFaces.name
    else:
        from imaginem.engines.local.faces import LocalFaces

        names["faces"] = LocalFaces.name
    if settings.face_print_engine == "azure":
        from imaginem.engines.azure.recognizer import AzureRecognizer

        names["prints"] = AzureRecognizer.name
    else:
        from imaginem.engines.local.embedding import describe

        names["prints"] = describe(settings.face_model).name
    return names
