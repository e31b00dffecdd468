"""Rows that the contract tests put into stores."""

import uuid
from dataclasses import replace

import numpy as np

from imaginem.outputs import FaceMatch
from imaginem.ports import EnrolledFace, JobKey, JobResult
from tests.stores import Stores

ONE, TWO, THREE = ("b", "one"), ("b", "two"), ("c", "one")


def save(stores: Stores, key: JobKey, **found: object) -> None:
    tags = [{"name": name, "confidence": 0.9} for name in found.get("tags", ())]  # type: ignore[attr-defined]
    outputs = {
        "generalclassification": {
            "tags": tags,
            "categories": [{"name": "people_", "score": 0.5}] if found.get("people") else [],
            "objects": [{"object": "cup", "confidence": 0.7}] if found.get("cup") else [],
        },
        "ocr": {
            "full_text": found.get("text", ""),
            "lines": [{"text": "", "unreadable": told} for told in found.get("unreadable", ())],  # type: ignore[attr-defined]
        },
        "facedetection": {"faces": [{}] * int(str(found.get("faces", 0)))},
    }
    unsuccessful = ("ocr",) if found.get("problem") else ()
    result = JobResult(
        *key, ("facedetection", "ocr"), "https://x.test/a", {"original_name": "A.jpg"}, outputs
    )
    stores.results.save(replace(result, unsuccessful=unsuccessful))


def face(
    *direction: float, model: str = "m", face_id: uuid.UUID | None = None, photo: str = ""
) -> EnrolledFace:
    """Return a face; `photo` is the SHA-256 of the photo that it is in, its own by default."""
    vector = np.array(direction, np.float32)
    unit = (vector / np.linalg.norm(vector)).astype(np.float32)
    sha256 = photo or f"sha of {uuid.uuid4().hex}"
    return EnrolledFace(face_id or uuid.uuid4(), model, unit.tobytes(), 0.8, (1, 2, 3, 4), sha256)


def match(one: EnrolledFace, other: EnrolledFace, confidence: float = 0.9) -> FaceMatch:
    return FaceMatch(
        face_id=one.face_id, matched_face_id=other.face_id, confidence=confidence, band="match"
    )
