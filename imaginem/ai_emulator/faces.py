"""What the Face emulator remembers: fresh faces, face lists, and their trainings."""

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaginem.ai_emulator.refusals import Refusal, bad_argument

Vector = NDArray[np.float32]


def on_azures_scale(cosine: float) -> float:
    """Return a cosine on Azure's scale: the default thresholds of both engines correspond."""
    return float(np.interp(cosine, (-1.0, 0.37, 0.45, 1.0), (0.0, 0.4, 0.5, 1.0)))


@dataclass
class _List:
    name: str
    user_data: str | None
    faces: dict[str, tuple[str, Vector]] = field(default_factory=dict)
    trained: dict[str, Vector] | None = None
    training: dict[str, Vector] | None = None
    begun: float = 0.0
    made: datetime | None = None
    succeeded: str | None = None


class FaceMemory:
    """Fresh faces and face lists.

    Args:
        clock: seconds, steady.

    Attributes:
        capacity: most faces of a list.
        most_lists: most lists of the account.
        training_seconds: how long a training lasts.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._fresh: dict[str, tuple[float, Vector]] = {}
        self._lists: dict[str, _List] = {}
        self.capacity = 1_000_000
        self.most_lists = 64
        self.training_seconds = 0.3

    def remember(self, vector: Vector, seconds: float) -> str:
        """Keep a fresh face for some seconds; return its id."""
        face_id = str(uuid.uuid4())
        with self._lock:
            self._fresh[face_id] = self._clock() + seconds, vector
        return face_id

    def forget_fresh(self) -> None:
        """Let every fresh id expire."""
        with self._lock:
            self._fresh.clear()

    def _vector(self, face_id: str) -> Vector:
        until, vector = self._fresh.get(face_id, (0.0, None))
        if vector is None or until <= self._clock():
            raise Refusal(400, "FaceNotFound", "Face is not found.")
        return vector

    def among(self, face_id: str, others: list[str], limit: int) -> list[dict[str, Any]]:
        """Compare a fresh face with others."""
        with self._lock:
            vector = self._vector(face_id)
            vectors = {other: self._vector(other) for other in others}
        best = _best(vector, vectors, limit)
        return [{"faceId": other, "confidence": confidence} for other, confidence in best]

    def in_list(self, face_id: str, list_id: str, limit: int) -> list[dict[str, Any]]:
        """Compare a fresh face with a trained list."""
        with self._lock:
            vector = self._vector(face_id)
            held = self._lists.get(list_id)
            if held is None:
                raise Refusal(400, "LargeFaceListNotFound", "Large face list is not found.")
            if self._status(held) == "running":
                raise Refusal(
                    409, "LargeFaceListTrainingNotFinished", "Large face list is under training."
                )
            if held.trained is None:
                raise Refusal(400, "LargeFaceListNotTrained", "Large face list is not trained.")
            vectors = {name: v for name, v in held.trained.items() if name in held.faces}
        best = _best(vector, vectors, limit)
        return [{"persistedFaceId": name, "confidence": confidence} for name, confidence in best]

    def held(self, list_id: str) -> _List:
        """Return a list. Raises Refusal if there is none of this id."""
        if list_id not in self._lists:
            raise Refusal(404, "LargeFaceListNotFound", "Large face list is not found.")
        return self._lists[list_id]

    def make(self, list_id: str, name: str, user_data: str | None) -> None:
        """Make a list."""
        with self._lock:
            if list_id in self._lists:
                raise Refusal(409, "LargeFaceListExists", "Large face list already exists.")
            if len(self._lists) >= self.most_lists:
                raise Refusal(403, "QuotaExceeded", "Large Face List number reached limit.")
            self._lists[list_id] = _List(name, user_data)

    def drop(self, list_id: str) -> None:
        """Remove a list."""
        self.held(list_id)
        del self._lists[list_id]

    def names(self) -> list[str]:
        """Return the lists' ids."""
        return sorted(self._lists)

    def check_room(self, list_id: str) -> None:
        """Raise Refusal if a list is full."""
        if len(self.held(list_id).faces) >= self.capacity:
            raise Refusal(403, "QuotaExceeded", "Persisted face number reached limit.")

    def add(self, list_id: str, user_data: str, vector: Vector) -> str:
        """Add a face to a list."""
        with self._lock:
            self.check_room(list_id)
            name = str(uuid.uuid4())
            self.held(list_id).faces[name] = user_data, vector
            return name

    def remove(self, list_id: str, name: str) -> None:
        """Remove a face from a list."""
        held = self.held(list_id)
        if held.faces.pop(name, None) is None:
            raise Refusal(
                404, "PersistedFaceNotFound", f"Large Face List Face {name} is not found."
            )

    def page(self, list_id: str, start: str, top: int) -> list[dict[str, str]]:
        """Return the next faces of a list, `top` at most, after the face `start`."""
        if not 1 <= top <= 1000:
            raise bad_argument("'top' is invalid.")
        faces = self.held(list_id).faces
        names = sorted(name for name in faces if name > start)[:top]
        return [{"persistedFaceId": name, "userData": faces[name][0]} for name in names]

    def train(self, list_id: str) -> None:
        """Begin a training; when it is over, searches find the faces that are in the list now."""
        with self._lock:
            held = self.held(list_id)
            if self._status(held) == "running":
                raise Refusal(
                    409, "LargeFaceListTrainingNotFinished", "Large face list is under training."
                )
            held.training = {name: vector for name, (_, vector) in held.faces.items()}
            held.begun, held.made = self._clock(), datetime.now(UTC)

    def _status(self, held: _List) -> str:
        """Return the state of a list's training, after concluding one that is over."""
        if held.training is not None and self._clock() - held.begun >= self.training_seconds:
            held.trained, held.training = held.training, None
            held.succeeded = datetime.now(UTC).isoformat()
        return "running" if held.training is not None else "succeeded"

    def status(self, list_id: str) -> dict[str, str | None]:
        """Return the state of a list's training, as the service answers it."""
        with self._lock:
            held = self.held(list_id)
            if held.made is None:
                raise Refusal(404, "LargeFaceListNotTrained", "Large face list not trained.")
            status = self._status(held)
            made = held.made.isoformat()
            return {
                "status": status,
                "createdDateTime": made,
                "lastActionDateTime": made,
                "lastSuccessfulTrainingDateTime": held.succeeded,
                "message": None,
            }


def _best(vector: Vector, others: dict[str, Vector], limit: int) -> list[tuple[str, float]]:
    """Return the most similar of the others with their confidence, best first."""
    scored = [(name, on_azures_scale(float(vector @ other))) for name, other in others.items()]
    scored.sort(key=lambda item: -item[1])
    return [(name, round(confidence, 5)) for name, confidence in scored[:limit]]
