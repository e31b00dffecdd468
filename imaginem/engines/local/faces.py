"""The local face detector: MTCNN, 68 landmarks, head pose."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaginem.assets import AssetStore
from imaginem.engines.local.landmarks import FIVE, Landmarks, as_point
from imaginem.engines.local.mtcnn import Mtcnn
from imaginem.images.decoding import Photo
from imaginem.outputs import Face, FaceAttributes, Rectangle


class LocalFaces:
    """Finds faces; age, gender and emotion are never looked for."""

    name = "mtcnn-1"

    def __init__(self, store: AssetStore) -> None:
        self._detector = Mtcnn(store)
        self._landmarks = Landmarks(store)

    def detect(self, photo: Photo, *, for_recognition: bool = False) -> list[Face]:
        """Return the faces, largest first."""
        rgb = photo.array
        found = self._detector.detect(rgb)
        faces = []
        for box, score, five in zip(found.boxes, found.scores, found.points, strict=True):
            where = _inside(box, photo.width, photo.height)
            if where is None:
                continue
            points = self._landmarks.points(rgb, where)
            points |= {name: as_point(spot) for name, spot in zip(FIVE, five, strict=True)}
            pose = self._landmarks.pose(rgb, where, points)
            faces.append(
                Face(
                    face_rectangle=where,
                    face_landmarks=points,
                    face_attributes=FaceAttributes(head_pose=pose),
                    detection_confidence=round(float(score), 4),
                )
            )
        return faces


def _inside(box: NDArray[Any], width: int, height: int) -> Rectangle | None:
    """Return the part of a box that lies in the photo."""
    left, top = np.clip(box[:2].round(), 0, (width, height)).astype(int)
    right, bottom = np.clip(box[2:].round(), 0, (width, height)).astype(int)
    if right - left < 2 or bottom - top < 2:
        return None
    return Rectangle(left=left, top=top, width=right - left, height=bottom - top)
