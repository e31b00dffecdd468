"""Face 1.2: Detect."""

from typing import Any

from tests.answering import Answer, Example
from tests.contract.responses import FACE, OLD_FACE, SPEC

_NAMES = (
    "pupilLeft", "pupilRight", "noseTip", "mouthLeft", "mouthRight", "eyebrowLeftOuter",
    "eyebrowLeftInner", "eyeLeftOuter", "eyeLeftTop", "eyeLeftBottom", "eyeLeftInner",
    "eyebrowRightInner", "eyebrowRightOuter", "eyeRightInner", "eyeRightTop", "eyeRightBottom",
    "eyeRightOuter", "noseRootLeft", "noseRootRight", "noseLeftAlarTop", "noseRightAlarTop",
    "noseLeftAlarOutTip", "noseRightAlarOutTip", "upperLipTop", "upperLipBottom", "underLipTop",
    "underLipBottom",
)  # fmt: skip
_LANDMARKS = {name: {"x": 120.5 + at, "y": 90.25 + at} for at, name in enumerate(_NAMES)}
_ID = "1b9e2d64-7d0c-4a5b-8f33-90a1c2d3e4f5"
_RECTANGLE = {"width": 60, "height": 64, "left": 110, "top": 80}
_ASKED_TODAY: dict[str, Any] = {
    "headPose": {"pitch": -3.5, "roll": 2.5, "yaw": 11.5},
    "mask": {"type": "faceMask", "noseAndMouthCovered": True},
    "blur": {"blurLevel": "low", "value": 0.15},
    "qualityForRecognition": "medium",
}
_OTHERS: dict[str, Any] = {
    "glasses": "readingGlasses",
    "headPose": {"roll": 2.5, "yaw": 11, "pitch": -3.5},
    "occlusion": {"foreheadOccluded": True, "eyeOccluded": False, "mouthOccluded": False},
    "accessories": [
        {"type": "headwear", "confidence": 0.8},
        {"type": "glasses", "confidence": 0.9},
    ],
    "blur": {"blurLevel": "high", "value": 0.85},
    "exposure": {"exposureLevel": "overExposure", "value": 0.8},
    "noise": {"noiseLevel": "medium", "value": 0.4},
    "qualityForRecognition": "low",
}
_RETIRED: dict[str, Any] = {
    "age": 40.0,
    "gender": "female",
    "smile": 0.1,
    "facialHair": {"moustache": 0.0, "beard": 0.1, "sideburns": 0.2},
    "emotion": {"anger": 0.1, "neutral": 0.9},
    "hair": {"bald": 0.1, "invisible": True, "hairColor": [{"color": "gray", "confidence": 0.6}]},
    "makeup": {"eyeMakeup": False, "lipMakeup": True},
}
_OF_OTHERS: dict[str, object] = {
    "0.service_face_id": _ID,
    "0.face_rectangle": {"left": 110, "top": 80, "width": 60, "height": 64},
    "0.face_landmarks.pupil_left": {"x": 120.5, "y": 90.2},
    "0.face_landmarks.under_lip_bottom": {"x": 146.5, "y": 116.2},
    "0.face_attributes.head_pose": {"yaw": 11, "pitch": -3.5, "roll": 2.5},
    "0.face_attributes.glasses": "readingGlasses",
    "0.face_attributes.occlusion": {
        "forehead_occluded": True,
        "eye_occluded": False,
        "mouth_occluded": False,
    },
    "0.face_attributes.accessories.1": {"type": "glasses", "confidence": 0.9},
    "0.face_attributes.blur": 0.85,
    "0.face_attributes.blur_level": "high",
    "0.face_attributes.quality_for_recognition": "low",
    "0.face_attributes.age": None,
}


def _face(model: str, attributes: dict[str, Any], landmarks: int = 27) -> dict[str, Any]:
    """Return a face; the first landmarks stand for all, which each version has alike."""
    spots = {name: _LANDMARKS[name] for name in (*_NAMES[: landmarks - 1], _NAMES[-1])}
    return {
        "faceId": _ID,
        "recognitionModel": model,
        "faceRectangle": _RECTANGLE,
        "faceLandmarks": spots,
        "faceAttributes": attributes,
    }


_WITHOUT_QUALITY = {
    name: value for name, value in _OTHERS.items() if name != "qualityForRecognition"
}
_OF_OLD: dict[str, object] = {**_OF_OTHERS, "0.face_attributes.quality_for_recognition": None}

EXAMPLES = [
    Example(
        f"{FACE}/v1.2/Detect.json, Detect",
        "detect",
        Answer([_face("recognition_03", _OTHERS)]),
        {**_OF_OTHERS, "0.recognition_model": "recognition_03"},
    ),
    Example(
        f"{FACE}/v1.2/DetectFromUrl.json, Detect",
        "detect",
        Answer([_face("recognition_03", _OTHERS, landmarks=2)]),
        _OF_OTHERS,
    ),
    Example(
        f"{SPEC}/ai/data-plane/Face/stable/v1.2/Face.json, Detect, the attributes of detection_03",
        "detect",
        Answer([_face("recognition_04", _ASKED_TODAY, landmarks=2)]),
        {
            "0.recognition_model": "recognition_04",
            "0.face_attributes": {
                "head_pose": {"yaw": 11.5, "pitch": -3.5, "roll": 2.5},
                "blur": 0.15,
                "blur_level": "low",
                "mask": "faceMask",
                "nose_and_mouth_covered": True,
                "quality_for_recognition": "medium",
            },
        },
    ),
    Example(
        f"{FACE}/v1.1-preview.1/Detect.json, Detect",
        "detect",
        Answer([_face("recognition_03", _OTHERS, landmarks=2), {"faceRectangle": _RECTANGLE}]),
        {**_OF_OTHERS, "1.service_face_id": None, "1.face_landmarks": {}, "2": None},
    ),
    Example(
        f"{OLD_FACE}/stable/v1.0/examples/DetectWithUrl.json, Detect",
        "detect",
        Answer([_face("recognition_01", {**_RETIRED, **_WITHOUT_QUALITY}, landmarks=2)]),
        _OF_OLD,
    ),
    Example(
        f"{OLD_FACE}/preview/v1.0-preview/examples/DetectWithStream.json, Detect",
        "detect",
        Answer([_face("recognition_01", {**_RETIRED, **_WITHOUT_QUALITY}, landmarks=2)]),
        _OF_OLD,
    ),
    Example(
        f"{FACE}/v1.2/Detect.json, Detect, a photo without a face",
        "detect",
        Answer([]),
        {"": []},
    ),
]
