"""The local face detector: YuNet and MTCNN, 68 landmarks, head pose."""

import logging
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaginem.assets import AssetStore
from imaginem.config.settings import Settings
from imaginem.engines.local.face_finder import Detection, FaceFinder
from imaginem.engines.local.landmarks import FIVE, Landmarks, as_point
from imaginem.engines.local.models import RuntimeSetting
from imaginem.engines.local.orientation import Orientation, OrientationFinder
from imaginem.engines.local.photo_faults import photo_faults
from imaginem.engines.local.quarter_turns import TURNS, WayBack, turned
from imaginem.engines.logs import logger_for
from imaginem.engines.parts import EngineParts
from imaginem.images.decoding import Photo
from imaginem.outputs import Face, FaceAttributes, Rectangle
from imaginem.ports import CallContext, FaceEngine

Array = NDArray[Any]

_SMALL_SIDE = 320  # the longest, of a copy: only large faces are found in it, but quickly
_ODDS = (0.02, 1000.0)
"""Least and most that a face counts: one with a mask, which MTCNN does not know, a little."""
_logger = logging.getLogger("imaginem.engines.local")


class LocalFaces:
    """Finds faces; age, gender and emotion are left out on purpose.

    Args:
        store: has the weights.
        runtime: the setting LOCAL_RUNTIME.
    """

    name = "yunet-1"

    def __init__(self, store: AssetStore, runtime: RuntimeSetting = "auto") -> None:
        self._detector = FaceFinder(store, runtime)
        self._landmarks = Landmarks(store, runtime)
        self._orientation = OrientationFinder(store, runtime)

    @photo_faults("look for faces")
    def detect(
        self, photo: Photo, call: CallContext, *, for_recognition: bool = False
    ) -> list[Face]:
        """Return the faces, largest first; the detector needs no preparation for recognition."""
        orientation = self._orientation.of(photo)
        degrees = self._turn(photo.array, orientation)
        detection = self._detector.detect(turned(photo.array, degrees))
        if photo.told_upright and not detection.has_upright:
            # Programs that turn a photo's pixels may leave what its Exif told of them before.
            looks = self._orientation.by_looks(photo)
            if other := self._turn(photo.array, looks):
                again = self._detector.detect(turned(photo.array, other))
                if again.has_upright or not len(detection):
                    orientation, degrees, detection = looks, other, again
        faces = self._described(photo, detection, orientation, degrees)
        logger_for(_logger, call).debug("%s: %d faces", self.name, len(faces))
        return faces

    def _described(
        self, photo: Photo, detection: Detection, orientation: Orientation, degrees: int
    ) -> list[Face]:
        """Return the faces of a photo that was turned first."""
        rgb = turned(photo.array, degrees)
        way_back = WayBack((photo.width, photo.height), degrees)
        faces = []
        for box, score, five in zip(
            detection.boxes, detection.scores, detection.points, strict=True
        ):
            where = _inside(box, rgb.shape[1], rgb.shape[0])
            if where is None:
                continue
            points = self._landmarks.points(rgb, where)
            points |= {name: as_point(spot) for name, spot in zip(FIVE, five, strict=True)}
            pose = self._landmarks.pose(rgb, where, points)
            face = Face(
                face_rectangle=where,
                face_landmarks=points,
                face_attributes=FaceAttributes(head_pose=pose),
                detection_confidence=round(float(score), 4),
            )
            faces.append(way_back.face(face, orientation.told(degrees)))
        return faces

    def _turn(self, rgb: Array, orientation: Orientation) -> int:
        """Return the turn that is sure, or the one in which a small copy shows most of faces."""
        if orientation.is_sure:
            return orientation.likeliest
        small = _small(rgb)

        def proof(degrees: int) -> float:
            found = self._detector.detect(turned(small, degrees))
            # YuNet finds faces that lie on a side or upside down, too. MTCNN gives them up to 0.99,
            # and more to upright ones: so not its score counts, but the odds.
            odds = np.clip(found.seconded / np.maximum(1 - found.seconded, 1e-9), *_ODDS)
            return float((found.scores * odds).sum()) * orientation.share(degrees)

        return max(TURNS, key=proof)  # the first of them, which is no turn, without faces


def engine_name(settings: Settings) -> str:
    """Return the detector's name."""
    return LocalFaces.name


def make_engine(parts: EngineParts) -> FaceEngine:
    """Return the engine of `facedetection`."""
    return LocalFaces(AssetStore(parts.settings.assets), parts.settings.local_runtime)


def _small(rgb: Array) -> Array:
    scale = _SMALL_SIDE / max(rgb.shape[:2])
    if scale >= 1:
        return rgb
    size = [max(round(side * scale), 1) for side in (rgb.shape[1], rgb.shape[0])]
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)


def _inside(box: Array, width: int, height: int) -> Rectangle | None:
    """Return the part of a box that lies in the photo; None if less than 2 pixels do."""
    left, top = np.clip(box[:2].round(), 0, (width, height)).astype(int)
    right, bottom = np.clip(box[2:].round(), 0, (width, height)).astype(int)
    if right - left < 2 or bottom - top < 2:
        return None
    return Rectangle(left=left, top=top, width=right - left, height=bottom - top)
