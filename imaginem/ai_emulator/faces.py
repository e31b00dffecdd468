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


def confidence(cosine: float) -> float:
    """Return a cosine on Azure's scale: bands of both scales begin at the same likeness."""
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
    """Faces and lists. Times are seconds of `clock`.

    Attributes:
        capacity: faces that a list takes.
        most_lists: lists that there may be.
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
        name = str(uuid.uuid4())
        with self._lock:
            self._fresh[name] = self._clock() + seconds, vector
        return name

    def forget_fresh(self) -> None:
        """Let every fresh id lapse."""
        with self._lock:
            self._fresh.clear()

    def _vector(self, face_id: str) -> Vector:
        until, vector = self._fresh.get(face_id, (0.0, None))
        if vector is None or until <= self._clock():
            raise Refusal(400, "FaceNotFound", "Face is not found.")
        return vector

    def among(self, face_id: str, others: list[str], most: int) -> list[dict[str, Any]]:
        """Compare a fresh face with others."""
        with self._lock:
            mine = self._vector(face_id)
            vectors = {other: self._vector(other) for other in others}
        return [{"faceId": name, "confidence": sure} for name, sure in _best(mine, vectors, most)]

    def in_list(self, face_id: str, list_id: str, most: int) -> list[dict[str, Any]]:
        """Compare a fresh face with a trained list."""
        with self._lock:
            mine = self._vector(face_id)
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
        found = _best(mine, vectors, most)
        return [{"persistedFaceId": name, "confidence": sure} for name, sure in found]

    def held(self, list_id: str) -> _List:
        """Return a list."""
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
        """Refuse when a list takes no more faces."""
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
        """Return faces of a list behind one."""
        if not 1 <= top <= 1000:
            raise bad_argument("'top' is invalid.")
        faces = self.held(list_id).faces
        names = sorted(name for name in faces if name > start)[:top]
        return [{"persistedFaceId": name, "userData": faces[name][0]} for name in names]

    def train(self, list_id: str) -> None:
        """Begin a training: what is in the list now will be found."""
        with self._lock:
            held = self.held(list_id)
            if self._status(held) == "running":
                raise Refusal(
                    409, "LargeFaceListTrainingNotFinished", "Large face list is under training."
                )
            held.training = {name: vector for name, (_, vector) in held.faces.items()}
            held.begun, held.made = self._clock(), datetime.now(UTC)

    def _status(self, held: _List) -> str:
        if held.training is not None and self._clock() - held.begun >= self.training_seconds:
            held.trained, held.training = held.training, None
            held.succeeded = datetime.now(UTC).isoformat()
        return "running" if held.training is not None else "succeeded"

    def status(self, list_id: str) -> dict[str, str | None]:
        """Return how a list's training stands."""
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


def _best(mine: Vector, others: dict[str, Vector], most: int) -> list[tuple[str, float]]:
    scored = [(name, confidence(float(mine @ vector))) for name, vector in others.items()]
    scored.sort(key=lambda item: -item[1])
    return [(name, round(sure, 5)) for name, sure in scored[:most]]
