"""Face landmarks and head pose: 68 points of a network, given under Azure Face's 27 names."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaginem.assets import AssetStore
from imaginem.engines.local.models import RuntimeSetting, shared_model
from imaginem.outputs import HeadPose, Point, Rectangle

Array = NDArray[Any]

_LANDMARK_MARGIN, _LANDMARK_SIDE = 1.2, 64
_POSE_MARGIN, _POSE_SIDE = 1.3, 224
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # of ImageNet, as the network was trained
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
_BINS = np.arange(66, dtype=np.float32)  # of 3 degrees, from -99 (Ruiz et al. 2018)

# Indices of the iBUG 68-point scheme; several indices stand for the mean of their points.
AZURE_POINTS: dict[str, tuple[int, ...]] = {
    "pupil_left": (37, 38, 40, 41),
    "pupil_right": (43, 44, 46, 47),
    "nose_tip": (30,),
    "mouth_left": (48,),
    "mouth_right": (54,),
    "eyebrow_left_outer": (17,),
    "eyebrow_left_inner": (21,),
    "eye_left_outer": (36,),
    "eye_left_top": (37, 38),
    "eye_left_bottom": (40, 41),
    "eye_left_inner": (39,),
    "eyebrow_right_inner": (22,),
    "eyebrow_right_outer": (26,),
    "eye_right_inner": (42,),
    "eye_right_top": (43, 44),
    "eye_right_bottom": (46, 47),
    "eye_right_outer": (45,),
    "nose_root_left": (27, 39),
    "nose_root_right": (27, 42),
    "nose_left_alar_top": (29, 31),
    "nose_right_alar_top": (29, 35),
    "nose_left_alar_out_tip": (31,),
    "nose_right_alar_out_tip": (35,),
    "upper_lip_top": (51,),
    "upper_lip_bottom": (62,),
    "under_lip_top": (66,),
    "under_lip_bottom": (57,),
}
FIVE = ("pupil_left", "pupil_right", "nose_tip", "mouth_left", "mouth_right")
"""The five points that the detector returns too, and that faces are aligned on."""


def _square(rgb: Array, where: Rectangle, margin: float) -> tuple[Array, int, int]:
    """Return a square around a face, and the x and y of its top left corner.

    Outside the photo the square repeats the photo's edge.

    Args:
        rgb: the photo.
        where: the face.
        margin: side of the square, in longer sides of the face.
    """
    side = max(1, round(max(where.width, where.height) * margin))
    left = round(where.left + where.width / 2 - side / 2)
    top = round(where.top + where.height / 2 - side / 2)
    height, width = rgb.shape[:2]
    inner = rgb[max(top, 0) : min(top + side, height), max(left, 0) : min(left + side, width)]
    padding = (
        max(-top, 0),
        max(top + side - height, 0),
        max(-left, 0),
        max(left + side - width, 0),
    )
    if any(padding):
        inner = cv2.copyMakeBorder(inner, *padding, cv2.BORDER_REPLICATE)
    return inner, left, top


def _resized(picture: Array, side: int) -> Array:
    shrinks = picture.shape[0] > side
    return cv2.resize(
        picture, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )


class Landmarks:
    """Finds landmarks and pose of a face whose rectangle is known.

    Args:
        store: has the weights.
        runtime: the setting LOCAL_RUNTIME.
    """

    def __init__(self, store: AssetStore, runtime: RuntimeSetting = "auto") -> None:
        self._points = shared_model(store, "face-landmarks-68.onnx", runtime)
        self._pose = shared_model(store, "face-pose.onnx", runtime)

    def points(self, rgb: Array, where: Rectangle) -> dict[str, Point]:
        """Return the landmarks by Azure's names, in pixels of the photo."""
        square, left, top = _square(rgb, where, _LANDMARK_MARGIN)
        grey = cv2.cvtColor(square, cv2.COLOR_RGB2GRAY)
        shrunk = _resized(grey, _LANDMARK_SIDE).astype(np.float32) / 256
        marks = self._points.run({"input": shrunk[None, None]})[0].reshape(68, 2)
        spots = marks * square.shape[0] + np.array([left, top], np.float32)
        return {name: as_point(spots[list(which)].mean(0)) for name, which in AZURE_POINTS.items()}

    def pose(self, rgb: Array, where: Rectangle, points: dict[str, Point]) -> HeadPose:
        """Return the pose in degrees.

        Yaw and pitch are the network's; roll is the slope of the line between the eyes,
        which is steadier.
        """
        square, _, _ = _square(rgb, where, _POSE_MARGIN)
        scaled = _resized(square, _POSE_SIDE).astype(np.float32) / 255
        network_input = ((scaled - _MEAN) / _DEVIATION).transpose(2, 0, 1)[None]
        yaw, pitch = self._pose.run(
            {"input": np.ascontiguousarray(network_input, np.float32)}, "output", "617"
        )
        left, right = points["pupil_left"], points["pupil_right"]
        roll = np.degrees(np.arctan2(right.y - left.y, right.x - left.x))
        return HeadPose(yaw=_degrees(yaw[0]), pitch=_degrees(pitch[0]), roll=round(float(roll), 1))


def _degrees(scores: Array) -> float:
    """Return the mean angle, each bin weighted by its probability (the softmax of its score)."""
    weights = np.exp(scores - scores.max())
    return round(float((weights / weights.sum() * _BINS).sum() * 3 - 99), 1)


def as_point(spot: Array) -> Point:
    """Return a point, rounded to a tenth of a pixel."""
    return Point(x=round(float(spot[0]), 1), y=round(float(spot[1]), 1))
