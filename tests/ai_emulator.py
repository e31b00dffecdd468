"""Quick engines for the emulator of Azure's AI services, whose results tests can predict."""

import hashlib
import io
import random
import uuid
from typing import Any

import numpy as np
from PIL import Image

from imaginem.images.decoding import Photo
from imaginem.outputs import (
    Box,
    Colors,
    Face,
    FaceAttributes,
    FoundObject,
    HeadPose,
    ImageAnalysis,
    OcrText,
    PhotoMetadata,
    Point,
    Rectangle,
    Tag,
    TextLine,
    Word,
)
from imaginem.ports import CallContext, EnrolledFace

KEY = "double"


def portrait(person: str, width: int = 400, height: int = 300, *, noise: int = 0) -> bytes:
    """Return a photo of one colour, which stands for one person.

    Args:
        person: name of the person, which decides the colour.
        width: in pixels.
        height: in pixels.
        noise: white pixels, so that it is another photo of the same person.
    """
    shade = hashlib.sha256(person.encode()).digest()[:3]
    picture = Image.new("RGB", (width, height), tuple(shade))
    for number in range(noise):
        picture.putpixel((number % width, 0), (255, 255, 255))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


class ColorEngines:
    """Finds one face in the middle of every photo; the photo's colour decides whose it is.

    Attributes:
        looked_at: width and height of the photos that were analysed.
        more_tags: of every photo.
    """

    def __init__(self) -> None:
        self.vision = self.ocr = self.faces = self.embedder = self
        self.looked_at: list[tuple[int, int]] = []
        self.more_tags: list[Tag] = []

    def _note(self, photo: Photo) -> None:
        self.looked_at.append((photo.width, photo.height))

    def analyze(self, photo: Photo, call: CallContext) -> ImageAnalysis:
        self._note(photo)
        box = Box(x=photo.width // 4, y=photo.height // 4, w=photo.width // 2, h=photo.height // 2)
        return ImageAnalysis(
            tags=[
                Tag(name="photo", confidence=0.9),
                Tag(name="dog", confidence=0.7),
                *self.more_tags,
            ],
            objects=[FoundObject(object="car", confidence=0.8, rectangle=box)],
            color=Colors(is_bw_img=True, dominant_colors=["Teal"]),
            metadata=PhotoMetadata(width=photo.width, height=photo.height, format=photo.format),
        )

    def read(self, photo: Photo, call: CallContext) -> OcrText:
        self._note(photo)
        half, full = photo.width // 2, photo.width
        words = [
            Word(text="two", confidence=0.8, polygon=[0, 0, half, 0, half, 20, 0, 20]),
            Word(text="words", confidence=0.6, polygon=[half, 0, full, 0, full, 20, half, 20]),
        ]
        line = TextLine(
            text="two words", confidence=0.7, polygon=[0, 0, full, 0, full, 20, 0, 20], words=words
        )
        return OcrText(full_text="two words", lines=[line], language="en")

    def detect(
        self, photo: Photo, call: CallContext, *, for_recognition: bool = False
    ) -> list[Face]:
        self._note(photo)
        if min(photo.width, photo.height) < 80:
            return []
        side = min(photo.width, photo.height) // 2
        left, top = (photo.width - side) // 2, (photo.height - side) // 2
        return [
            Face(
                face_rectangle=Rectangle(left=left, top=top, width=side, height=side),
                face_landmarks={"pupil_left": Point(x=left + 10.0, y=top + 10.0)},
                face_attributes=FaceAttributes(head_pose=HeadPose(yaw=5.0)),
            )
        ]

    def embed(self, photo: Photo, face: Face) -> EnrolledFace:
        middle: Any = photo.pil.getpixel((photo.width // 2, photo.height // 2))
        # JPEG changes colours a little, so similar colours are one person.
        person = random.Random(str(tuple(round(value / 16) for value in middle)))
        vector = np.array([person.gauss(0, 1) for _ in range(64)], np.float32)
        unit = vector / np.linalg.norm(vector)
        return EnrolledFace(
            face_id=face.face_id or uuid.uuid4(),
            model="colors",
            embedding=unit.astype(np.float32).tobytes(),
            quality=0.9,
            rectangle=(0, 0, 1, 1),
        )
