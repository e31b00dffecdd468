"""The ids of erased faces go from the outputs of other jobs, wherever those are kept."""

import uuid
from dataclasses import replace
from typing import Any

import pytest
from pydantic_core import to_json

from imaginem.message import JobMessage
from imaginem.pipeline.offload import as_property
from imaginem.ports import EarlierOutput, JobKey, JobResult
from imaginem.testing import MemoryServices, message_for
from imaginem.usecases.erase import forget_batch, forget_job
from tests.contract.rows import face, match
from tests.stores import Stores

GONE, OTHER, STAYS = ("b", "gone"), ("b", "other"), ("c", "stays")


def outputs_of(*matched: uuid.UUID, filler: str = "") -> dict[str, Any]:
    found = [{"face_id": "x", "matched_face_id": str(face_id)} for face_id in matched]
    return {"facematch": {"matches": found, "note": filler}, "ocr": {"full_text": "as it was"}}


class World:
    """Three jobs that match each other, and their outputs in every place."""

    def __init__(self, stores: Stores, filler: str = "") -> None:
        self.services = MemoryServices(**vars(stores))
        self.faces = {key: face(1, 0) for key in (GONE, OTHER, STAYS)}
        for key, own in self.faces.items():
            stores.gallery.enrol(key, [own])
        pairs = [(GONE, OTHER), (GONE, STAYS), (OTHER, STAYS)]
        matches = [match(self.faces[one], self.faces[other]) for one, other in pairs]
        stores.gallery.keep_matches(matches)
        for key in self.faces:
            self.finish(key, filler)

    def finish(self, key: JobKey, filler: str, state: str = "succeeded") -> None:
        ids = [own.face_id for other, own in self.faces.items() if other != key]
        outputs = outputs_of(*ids, filler=filler)
        self.services.results.save(JobResult(*key, ("ocr",), "https://x.test/a", None, outputs))
        result = self.services.results.read(key)
        assert result is not None
        assert result.timestamp is not None
        made = EarlierOutput(*key, result.timestamp, outputs, "ocr")
        self.services.earlier_outputs.keep(made)
        message: JobMessage = message_for("https://x.test/a", ["ocr", "facematch"], outputs=outputs)
        row = {
            "processing_pipeline": "ocr,facematch",
            "job_state": state,
            "ocr": "step 0: success",
            "facematch": "step 1: success",
            "facematch_output": self.text("facematch", outputs["facematch"], key),
            "job_output": self.text("job_output", message.model_dump(mode="json"), key),
        }
        self.services.log.insert(key, row)

    def text(self, name: str, value: object, key: JobKey) -> str:
        return as_property(name, value, key, self.services.blobs, shares=3)

    def named(self, key: JobKey, gone: JobKey) -> set[str]:
        """Return the places where a job names another one's face."""
        needle = str(self.faces[gone].face_id)
        result = self.services.results.read(key)
        earlier = self.services.earlier_outputs.of_job(key)
        row = self.services.log.read(key)
        blobs = self.services.blobs
        folder = f"{key[0]}/{key[1]}/"
        large = [blobs.get("largemessages", n, 10**7) for n in blobs.list("largemessages", folder)]
        places = {
            "result": result and result.job_output,
            "earlier": [each.job_output for each in earlier],
            "row": row and dict(row.properties),
            "blobs": [text.decode() for text in large],
        }
        return {name for name, value in places.items() if needle in to_json(value).decode()}


@pytest.mark.parametrize("filler", ["", "x" * 40_000], ids=["in the row", "in blobs"])
def test_an_erased_jobs_faces_go_from_the_outputs_of_others(stores: Stores, filler: str) -> None:
    world = World(stores, filler)
    services = world.services
    where = {"result", "earlier", "blobs" if filler else "row"}
    assert world.named(OTHER, GONE) == world.named(STAYS, GONE) == where
    before = services.results.read(STAYS)

    forget_job(services, GONE)

    assert world.named(OTHER, GONE) == world.named(STAYS, GONE) == set()
    # What else was found stays, and the result is not a new one.
    assert world.named(STAYS, OTHER) == world.named(OTHER, STAYS) == where
    after = services.results.read(STAYS)
    assert before is not None
    assert after is not None
    assert after.job_output["ocr"] == {"full_text": "as it was"}
    assert replace(after, job_output={}) == replace(before, job_output={})
    row = services.log.read(STAYS)
    assert row is not None
    assert (row.properties["job_state"], row.properties["ocr"]) == ("succeeded", "step 0: success")


def test_an_erased_batchs_faces_go_from_the_outputs_in_other_batches(stores: Stores) -> None:
    world = World(stores)
    assert forget_batch(world.services, "b").jobs == 2
    assert world.named(STAYS, GONE) == world.named(STAYS, OTHER) == set()


def test_the_row_of_a_job_at_work_is_left_to_whoever_works_on_it(stores: Stores) -> None:
    world = World(stores)
    row = world.services.log.read(STAYS)
    assert row is not None
    fence = world.services.log.merge(STAYS, {"job_state": "running"}, row.fence)
    forget_job(world.services, GONE)
    assert world.named(STAYS, GONE) == {"row"}
    left = world.services.log.read(STAYS)
    assert left is not None
    assert left.fence == fence
