"""What runs of the API play in: an app in memory, two groups that must not see each other's photos.

Whatever belongs to a group has the group's mark in its name: batch, job, file, tag and text. So a
mark in an answer tells whose photo it speaks of.
"""

import json
import logging
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import steps  # noqa: F401 - importing the package registers every step
from imaginem.engines.local.recognizer import LocalRecognizer
from imaginem.engines.match_tiers import MatchTiers
from imaginem.errors import PermanentError, RetryableError
from imaginem.images.decoding import Photo
from imaginem.images.limits import BYTE_LIMIT
from imaginem.outputs import Face, ImageAnalysis, OcrText, PhotoMetadata, Tag
from imaginem.pipeline.barred import digest_of
from imaginem.pipeline.process import Delivery, process_step
from imaginem.pipeline.steps import default_registry
from imaginem.ports import CallContext, CoreSettings, EnrolledFace
from imaginem.ports.log_lines import AddLabels, LabelledLines
from imaginem.sql import Database
from imaginem.testing import MemoryQueues, MemoryServices, photo_bytes
from tests.dashboard import PIPELINE, principal
from tests.stores import keyed, sql_stores

MARKS = {"red": "zrubra", "blue": "zcaeru", "": "zopena"}
"""What everything of a group has in its name; the group without a name is everybody's."""
SECRET = "zsecret"
"""A part of every secret that is sent."""
FETCHED = photo_bytes(color="navy")
"""What every address of a photo answers."""
BATCHES = {f"{mark}-{number}": group for group, mark in MARKS.items() for number in (1, 2)}
"""The batches, with the groups that they belong to."""
SECRETS = {
    "password": f"{SECRET}pw",
    "blobSasToken": f"sv=2024&sig={SECRET}token",
    "note": f"AccountKey={SECRET}key; Authorization: Bearer {SECRET}bearer",
    "links": [f"https://example.org/a?sig={SECRET}link"],
}
"""Parameters of photos that nobody may be shown."""


@dataclass(frozen=True)
class Someone:
    """Who calls.

    Attributes:
        headers: that the login sets, or that somebody forges.
        role: empty for nobody.
        groups: whose batches are shown; None for all.
    """

    headers: dict[str, str]
    role: str = ""
    groups: tuple[str, ...] | None = ()

    def sees(self, group: str) -> bool:
        """Tell whether a group's batches are shown."""
        return bool(self.role) and (not group or self.groups is None or group in self.groups)


def _known(role: str, *groups: str) -> Someone:
    seen = None if role == "operator" else groups
    return Someone(principal(role, name=f"{role} {groups}", groups=groups), role, seen)


_OPERATORS = principal("operator")["X-MS-CLIENT-PRINCIPAL"]
PEOPLE = {
    "red caseworker": _known("caseworker", "red"),
    "red viewer": _known("viewer", "red"),
    "blue caseworker": _known("caseworker", "blue"),
    "blue viewer": _known("viewer", "blue"),
    "caseworker of no group": _known("caseworker"),
    "operator": _known("operator"),
    "nobody": Someone({}),
    "without a role": Someone(principal(groups=("red",))),
    "with another role": Someone(principal("Operator", "admin", groups=("red",))),
    "with a broken header": Someone({"X-MS-CLIENT-PRINCIPAL": _OPERATORS[:-7] + "!"}),
    "with other headers": Someone(
        {
            "X-MS-CLIENT-PRINCIPAL-NAME": "operator",
            "X-Forwarded-User": "operator",
            "Cookie": f"p={_OPERATORS}",
        }
    ),
    "with a list for claims": Someone({"X-MS-CLIENT-PRINCIPAL": "eyJjbGFpbXMiOiBbMSwgbnVsbF19"}),
}
"""Who calls, by what they are; those without a role must get nothing."""


class Mood:
    """How the engines feel: all work, or one fails for now or for good."""

    problem: Exception | None = None

    def __call__(self) -> None:
        """Raise what engines fail with, if they do."""
        if self.problem is not None:
            raise self.problem


PROBLEMS: Sequence[Exception | None] = (
    None,
    None,
    RetryableError(f"the service is away: https://example.org/?sig={SECRET}engine"),
    PermanentError(f"no such model; api-key: {SECRET}engine"),
)
"""What engines may fail with; their texts hold secrets, as those of services do."""


@dataclass
class _Vision:
    mood: Mood
    name: str = "fuzz"

    def analyze(self, photo: Photo, call: CallContext) -> ImageAnalysis:
        """Return a tag that names the batch, and one that all photos have."""
        self.mood()
        size = PhotoMetadata(width=photo.width, height=photo.height, format=photo.format)
        tags = [Tag(name=name, confidence=0.9) for name in ("photo", f"tag of {call.batch_id}")]
        return ImageAnalysis(tags=tags, metadata=size)


@dataclass
class _Ocr:
    mood: Mood
    name: str = "fuzz"

    def read(self, photo: Photo, call: CallContext) -> OcrText:
        """Return a text that names the batch."""
        self.mood()
        return OcrText(full_text=f"text of {call.batch_id}")


class _Embedder:
    """Gives every face the same embedding, so that all look alike."""

    name, dimensions = "fuzz", 2

    def embed(self, photo: Photo, face: Face) -> EnrolledFace:
        """Return an enrolled face."""
        face_id, where = face.face_id or uuid.uuid4(), face.face_rectangle
        box = (where.left, where.top, where.width, where.height)
        return EnrolledFace(face_id, self.name, bytes([0, 0, 128, 63]) * 2, 0.9, box)


class LogLines(logging.Handler):
    """Keeps the log lines of a run as people see them."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.addFilter(AddLabels())
        self.setFormatter(LabelledLines())

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(self.format(record))


class World:
    """An app with batches of each group.

    Args:
        sqlite: keep results in a database instead of in memory.
    """

    def __init__(self, *, sqlite: bool = False) -> None:
        self.now = 0.0
        self.mood = Mood()
        self._folder = tempfile.TemporaryDirectory() if sqlite else None
        stores = None
        if self._folder:
            stores = sql_stores(Database("", Path(self._folder.name), mark=keyed))
        self.services = MemoryServices(
            core_settings=CoreSettings(default_pipeline=PIPELINE, max_attempts=2),
            queues=MemoryQueues(clock=lambda: self.now),
            fetch=lambda url: FETCHED,
            vision=_Vision(self.mood),
            ocr=_Ocr(self.mood),
            **(vars(stores) if stores else {}),
        )
        embedder: Any = _Embedder()
        self.services.recognizer = LocalRecognizer(
            embedder,
            self.services.gallery,
            self.services.face_index,
            tiers=MatchTiers(0.5, 0.3),
            match_limit=20,
        )
        for batch_id, group in BATCHES.items():
            self.services.batches.open_batch(batch_id, group)

    def close(self) -> None:
        """Remove the database."""
        if self._folder is not None:
            self._folder.cleanup()

    def work(self, most: int) -> int:
        """Run up to so many step executions; return how many there were."""
        done = 0
        while done < most:
            before = done
            for step in default_registry:
                self.services.queues.create(step.name)
                for item in self.services.queues.receive(step.name, 1, 30):
                    delivery = Delivery(item.body, item.id, item.dequeue_count, item.inserted)
                    process_step(step, delivery, self.services, default_registry)
                    self.services.queues.delete(step.name, item)
                    done += 1
            if done == before:
                break
        return done

    def later(self) -> None:
        """Let an hour pass for messages that wait."""
        self.now += 3600

    def put_nonsense(self, random: Random, key: tuple[str, str]) -> None:
        """Put something on a queue that is no job message, or only looks like one."""
        photo = {"image_url": 5, "image_parameters": {**SECRETS, "original_name": key[1]}}
        definition = {"id": key[1], "batch_id": key[0], "input": photo}
        nobodys = {"id": "nobodys", "batch_id": None, "input": {"image_parameters": SECRETS}}
        bodies = (
            json.dumps({"job_definition": definition}),
            json.dumps({"job_definition": nobodys}),
            f"nonsense of {key[0]}, password={SECRET}pw",
        )
        self.services.queues.send("ocr", random.choice(bodies))

    def group_of(self, batch_id: str) -> str:
        """Return a batch's group: one that was erased may have come back in another."""
        return self.services.batches.groups_of([batch_id]).get(batch_id, "")

    def photos(self) -> dict[str, set[str]]:
        """Return the SHA-256 of every photo that is kept, by batch."""
        blobs, container = self.services.blobs, self.services.core_settings.input_container
        return {
            batch_id: {
                digest_of(blobs.get(container, name, BYTE_LIMIT))
                for name in blobs.list(container, f"{batch_id}/")
            }
            for batch_id in BATCHES
        }

    def kept(self) -> str:
        """Return all that results, rows and poisoned messages keep, as text."""
        told: list[object] = [entry for entry in self.services.poison.list()]
        for batch_id in BATCHES:
            for entry in self.services.log.batch(batch_id):
                told.append(entry)
                told.append(self.services.results.read((batch_id, entry.job_id)))
        return repr(told)
