"""A further provider of face detection; it finds no faces."""

from imaginem.config.settings import Settings
from imaginem.engines.parts import EngineParts
from imaginem.images.decoding import Photo
from imaginem.outputs import Face
from imaginem.ports import CallContext, FaceEngine


class PaperFaces:
    name = "paper-faces-1"

    def detect(
        self, photo: Photo, call: CallContext, *, for_recognition: bool = False
    ) -> list[Face]:
        return []


def engine_name(settings: Settings) -> str:
    return PaperFaces.name


def make_engine(parts: EngineParts) -> FaceEngine:
    return PaperFaces()
