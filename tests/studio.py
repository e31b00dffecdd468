"""Photos with two faces each, which go through the real steps in memory, and whose faces match."""

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from pydantic_core import to_json

import steps  # noqa: F401 - importing the package registers every step
from imaginem.config.sections.pipeline import DEFAULT_PIPELINE
from imaginem.images.decoding import Photo
from imaginem.outputs import Face, FaceMatch, FacePrint, Point, Rectangle
from imaginem.pipeline.process import Delivery, process_step
from imaginem.pipeline.steps import default_registry
from imaginem.ports import Box, CallContext, CoreSettings, EnrolledFace, Fusion, JobKey
from imaginem.testing import FakeRecognizer, MemoryServices, photo_bytes, run_all
from imaginem.usecases.submit import submit_photo
from tests.yard import Clock

LEFT, RIGHT = (10, 10, 20, 20), (60, 10, 20, 20)
PHOTO = photo_bytes(100, 50)
OFF = Fusion()
STEPS = tuple(name for name in DEFAULT_PIPELINE if name not in ("ocr", "generalclassification"))


class Detector:
    """Finds faces where it is told that they are."""

    def __init__(self, *boxes: Box, name: str = "told", detail: int = 0) -> None:
        self.boxes, self.name, self.detail = list(boxes), name, detail

    def detect(
        self, photo: Photo, call: CallContext, *, for_recognition: bool = False
    ) -> list[Face]:
        """Return faces, with as many landmarks as wanted."""
        spots = {f"spot_{number}": Point(x=1.5, y=number) for number in range(self.detail)}
        edges = ("left", "top", "width", "height")
        return [
            Face(
                face_rectangle=Rectangle(**dict(zip(edges, box, strict=True))),
                face_landmarks=spots,
            )
            for box in self.boxes
        ]


class Recognizer(FakeRecognizer):
    """Enrols every face with one embedding, so that each matches all faces of other jobs."""

    def __init__(self, services: MemoryServices) -> None:
        self._services = services
        self.before_enrolling: Callable[[], object] = lambda: None
        self.after_enrolling: Callable[[], object] = lambda: None

    def enrol(
        self, key: JobKey, photo: Photo, faces: Sequence[Face], call: CallContext
    ) -> list[FacePrint]:
        """Put the faces into the gallery."""
        self.before_enrolling()
        self._services.gallery.enrol(key, [enrolled(face, photo.sha256) for face in faces])
        self.after_enrolling()
        return super().enrol(key, photo, faces, call)

    def match(
        self,
        key: JobKey,
        face_ids: Sequence[uuid.UUID],
        photo: Callable[[], Photo],
        call: CallContext,
    ) -> list[FaceMatch]:
        """Find everybody else."""
        matches = [
            FaceMatch(face_id=face_id, matched_face_id=other.face_id, confidence=0.9, band="match")
            for face_id in face_ids
            for other in self._services.face_index.similar(
                key, face_id, min_similarity=0.5, limit=9
            )
        ]
        self._services.gallery.keep_matches(matches)
        return matches


def enrolled(face: Face, digest: str) -> EnrolledFace:
    """Return a detected face as the gallery keeps it."""
    assert face.face_id is not None
    where = face.face_rectangle
    box = (where.left, where.top, where.width, where.height)
    return EnrolledFace(face.face_id, "m", bytes([0, 0, 128, 63]) * 4, 0.9, box, digest)


class Studio:
    """Services whose detector finds two faces in each photo.

    Args:
        detail: landmarks of each face; thousands of them make outputs too large for a message.
        fusion: which steps share a delivery; none by default.
        more: other parts of the services.
    """

    def __init__(self, detail: int = 0, fusion: Fusion = OFF, **more: Any) -> None:
        self.clock = Clock()
        settings = CoreSettings(default_pipeline=STEPS, fusion=fusion)
        self.services = MemoryServices(core_settings=settings, **more)
        self.detector = Detector(LEFT, RIGHT, detail=detail)
        self.recognizer = Recognizer(self.services)
        self.services.faces, self.services.recognizer = self.detector, self.recognizer

    def send(self, key: JobKey, photo: bytes = PHOTO) -> None:
        submit_photo(self.services, key, "a.png", photo, STEPS)

    def develop(self, key: JobKey, photo: bytes = PHOTO) -> dict[Box, uuid.UUID]:
        """Take a photo through all steps; return its faces."""
        self.send(key, photo)
        self.run()
        return self.faces(key)

    def run(self) -> list[str]:
        """Do all that is to be done; return how the step executions ended."""
        return [moved.state for _, moved in run_all(self.services, default_registry)]

    def run_one(self, queue: str) -> None:
        """Execute one step for the only message of its queue."""
        (item,) = self.services.queues.receive(queue, 1, 30)
        delivery = Delivery(item.body, item.id, item.dequeue_count, item.inserted)
        process_step(default_registry.get(queue), delivery, self.services, default_registry)
        self.services.queues.delete(queue, item)

    def faces(self, key: JobKey) -> dict[Box, uuid.UUID]:
        """Return the faces of a job in the gallery."""
        return {face.rectangle: face.face_id for face in self.services.gallery.faces_of(key)}

    def output(self, key: JobKey, step: str) -> Any:
        """Return a step's output, as the result has it."""
        result = self.services.results.read(key)
        assert result is not None
        return result.job_output[step]

    def detected(self, key: JobKey) -> dict[Box, uuid.UUID]:
        """Return the faces that the job's result lists."""
        edges = ("left", "top", "width", "height")
        faces = self.output(key, "facedetection")["faces"]
        boxes = [face["face_rectangle"] for face in faces]
        ids = [uuid.UUID(face["face_id"]) for face in faces]
        return {
            tuple(box[edge] for edge in edges): face_id
            for box, face_id in zip(boxes, ids, strict=True)
        }

    def places(self, face_id: uuid.UUID) -> set[str]:
        """Return every place that names a face, but where its erasure is noted as unfinished."""
        services, name = self.services, str(face_id)
        kept: dict[str, Any] = {}
        for container in ("faces", "largemessages"):
            kept[f"blob {container}"] = [
                (place, services.blobs.get(container, place, 10**8).decode("latin-1"))
                for place in services.blobs.list(container, "")
            ]
        for batch in ("a", "b", "c"):
            rows = list(services.log.batch(batch))
            jobs = [(batch, row.job_id) for row in rows]
            kept[f"rows {batch}"] = [dict(row.properties) for row in rows]
            kept[f"results {batch}"] = [vars(each) for each in services.results.batch(batch)]
            earlier = [each for key in jobs for each in services.earlier_outputs.of_job(key)]
            kept[f"earlier {batch}"] = [vars(each) for each in earlier]
            kept[f"sent {batch}"] = [services.submissions.message(key) for key in jobs]
        kept["poison"] = [vars(entry) for entry in services.poison.list()]
        kept["gallery"] = [str(each) for each in services.gallery.owners([face_id])]
        kept["pairs"] = [str(each) for each in services.gallery.matches_of([face_id])]
        kept["reviews"] = [str(each) for each in services.reviews.decisions([face_id])]
        return {
            place for place, value in kept.items() if name in to_json(value, fallback=str).decode()
        }
