"""The quality of a face: how far its matches can be trusted, by the worst of six measures."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaginem.outputs import Face

# The value of each measure that gives 0, and the one that gives 1. Fitted to the photos of
# docs/models.md, where matches fail on blur, on faces under 40 pixels, and in the dark.
_HEIGHT = (20.0, 60.0)
_CONFIDENCE = (0.65, 0.85)
_SHARPNESS = (float(np.log(15)), float(np.log(80)))
_TURN = (75.0, 40.0)
_BRIGHTNESS = (12.0, 35.0)


def ramp(value: float, bounds: tuple[float, float]) -> float:
    """Return 0 up to the first bound, 1 from the second on, and a share between them."""
    low, high = bounds
    return float(np.clip((value - low) / (high - low), 0, 1))


def _height(face: Face) -> float:
    """Return the height of a face in pixels; that of one that lies on a side is its width."""
    where = face.face_rectangle
    return where.width if face.turn and face.turn.degrees % 180 else where.height


def quality(face: Face, aligned: NDArray[Any], tells: float = 1.0) -> float:
    """Return 0 (useless) to 1 (good).

    Args:
        face: as detected.
        aligned: the face as 112 x 112 x 3.
        tells: how much its embedding tells, 0 to 1.
    """
    grey = cv2.cvtColor(aligned, cv2.COLOR_RGB2GRAY).astype(np.float32)[16:104, 16:96]
    contrast = (grey - grey.mean()) / (grey.std() + 4) * 50
    sharpness = float(cv2.Laplacian(contrast, cv2.CV_32F).var())
    measures = [
        tells,
        ramp(_height(face), _HEIGHT),
        ramp(float(np.log(max(sharpness, 1e-6))), _SHARPNESS),
        ramp(float(grey.mean()), _BRIGHTNESS),
    ]
    if face.detection_confidence is not None:
        measures.append(ramp(face.detection_confidence, _CONFIDENCE))
    if face.face_attributes.head_pose is not None:
        measures.append(ramp(abs(face.face_attributes.head_pose.yaw), _TURN))
    return round(min(measures), 3)
