"""Faces as JSON values, in the shapes of Azure Face."""

import re
from collections.abc import Sequence
from typing import Any

from imaginem.engines.match_tiers import LOW, MEDIUM
from imaginem.outputs import Face
from imaginem.ports import EnrolledFace

_LANDMARKS = {
    "pupil_left", "pupil_right", "nose_tip", "mouth_left", "mouth_right", "eyebrow_left_outer",
    "eyebrow_left_inner", "eye_left_outer", "eye_left_top", "eye_left_bottom", "eye_left_inner",
    "eyebrow_right_inner", "eyebrow_right_outer", "eye_right_inner", "eye_right_top",
    "eye_right_bottom", "eye_right_outer", "nose_root_left", "nose_root_right",
    "nose_left_alar_top", "nose_right_alar_top", "nose_left_alar_out_tip",
    "nose_right_alar_out_tip", "upper_lip_top", "upper_lip_bottom", "under_lip_top",
    "under_lip_bottom",
}  # fmt: skip


def landmarks_json(face: Face) -> dict[str, dict[str, float]]:
    """Return those of a face's landmarks that the service knows."""
    return {
        re.sub("_(.)", lambda letter: letter.group(1).upper(), name): {"x": spot.x, "y": spot.y}
        for name, spot in face.face_landmarks.items()
        if name in _LANDMARKS
    }


def attributes_json(face: Face, embedded: EnrolledFace, names: Sequence[str]) -> dict[str, Any]:
    """Return the named attributes of a face.

    Args:
        face: as detected.
        embedded: the same face, for its quality.
        names: of attributes, as the request has them.
    """
    pose = face.face_attributes.head_pose
    level = "high" if embedded.quality >= MEDIUM else "medium" if embedded.quality >= LOW else "low"
    blur = round(1 - embedded.quality, 3)
    attributes: dict[str, Any] = {
        "headPose": pose.model_dump() if pose else {"pitch": 0.0, "roll": 0.0, "yaw": 0.0},
        "mask": {"type": "noMask", "noseAndMouthCovered": False},
        "blur": {
            "blurLevel": "low" if blur < 0.25 else "medium" if blur < 0.75 else "high",
            "value": blur,
        },
        "qualityForRecognition": level,
    }
    wanted = {name.strip().lower() for name in names}
    return {name: value for name, value in attributes.items() if name.lower() in wanted}
