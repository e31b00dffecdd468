"""Messages from outside: the original system's own, plain and base64, and what goes wrong."""

import base64
import http.server
import io
import json
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from PIL import Image

from imaginem.errors import NotFound
from imaginem.ports import QueueItem
from tests.installation import Installation
from tests.waiting import until

Sample = Callable[[str], bytes]
SITE = "http://127.0.0.1:18099"


@pytest.fixture(scope="module")
def site(sample: Sample) -> Iterator[str]:
    """A web site with one photo, which only a token opens."""

    class Site(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            exists = self.path.startswith("/photo.jpg?token=secret")
            body = sample("grace_hopper.jpg") if exists else b""
            self.send_response(200 if exists else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 18099), Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield SITE
    server.shutdown()
    server.server_close()
    thread.join()


def definition(batch: str, pipeline: list[str], url: str, **more: Any) -> dict[str, Any]:
    """Return a job message in the words of the original's test files."""
    return {
        "job_definition": {
            "batch_id": batch,
            "id": "myjobId",
            "input": {"image_url": url, "image_classifiers": ["classifier1", "classifier2"]},
            "processing_pipeline": pipeline,
            "processing_step": 0,
        }
        | more,
        "job_output": {},
    }


EARLIER = {"sample_job1": {"output": "sample_job1 output"}}


def original_face(number: int) -> dict[str, Any]:
    """Return a face as the original's facedetection wrote it."""
    return {
        "FaceId": f"904f1378-6439-4a7a-8477-41bebeaf01{number:02d}",
        "FaceRectangle": {"Width": 40 + number, "Height": 50, "Left": 30 * number, "Top": 60},
        "FaceLandmarks": {"PupilLeft": {"X": 394.9, "Y": 255.7}},
        "FaceAttributes": {"Age": 14.1, "Gender": "female", "Smile": 0.0},
    }


# name: pipeline, more of the definition, outputs, and where each step and the job end.
ORIGINAL: dict[str, tuple[list[str], dict[str, Any], dict[str, Any], dict[str, str]]] = {
    "crop": (
        ["facedetection", "facedcrop", "pipelineoutput"],
        {},
        {},
        {"facedetection": "success", "facedcrop": "processing", "job_state": "handed_over"},
    ),
    "detection": (
        ["generalclassification", "facedetection", "pipelineoutput"],
        {},
        {},
        {
            "generalclassification": "success",
            "facedetection": "success",
            "pipelineoutput": "success",
            "job_state": "succeeded",
        },
    ),
    "facematch": (
        ["facedetection", "faceprint", "facematch", "pipelineoutput"],
        {},
        {},
        {
            "facedetection": "success",
            "faceprint": "success",
            "facematch": "success",
            "pipelineoutput": "success",
            "job_state": "succeeded",
        },
    ),
    "sample": (
        ["sample", "pipelineoutput"],
        {},
        {},
        {"sample": "success", "pipelineoutput": "success", "job_state": "succeeded"},
    ),
    "step-facecrop": (
        ["facecrop", "facecropoutput"],
        {},
        EARLIER | {"facedetection": {"faces": [original_face(n) for n in range(4)]}},
        {"facecrop": "success", "facecropoutput": "processing", "job_state": "handed_over"},
    ),
    "step-facedetection": (
        ["facedetection", "facecrop", "facecropoutput"],
        {},
        EARLIER,
        {
            "facedetection": "success",
            "facecrop": "success",
            "facecropoutput": "processing",
            "job_state": "handed_over",
        },
    ),
    "step-faceprint": (
        ["facedetection", "facecrop", "faceprint"],
        {"processing_step": 2},
        {"Facedetection": {}, "Facecrop": {}},
        {
            "facedetection": "success",  # the message carries their outputs
            "facecrop": "success",
            "faceprint": "failed",
            "job_state": "failed",
        },
    ),
    "step-sample": (
        ["sample", "pipelineoutput"],
        {},
        EARLIER,
        {"sample": "success", "pipelineoutput": "success", "job_state": "succeeded"},
    ),
    "testall": (
        ["generalclassification", "ocr", "facedetection", "facecrop", "faceprint", "facematch"],
        {},
        {},
        {
            name: "success"
            for name in (
                "generalclassification",
                "ocr",
                "facedetection",
                "facecrop",
                "faceprint",
                "facematch",
            )
        }
        | {"job_state": "succeeded"},
    ),
    "testsmall": (
        ["generalclassification", "ocr"],
        {},
        {},
        {"generalclassification": "success", "ocr": "success", "job_state": "succeeded"},
    ),
}


@pytest.mark.parametrize("name", list(ORIGINAL))
def test_the_originals_messages_reach_their_exact_end(
    running: Installation, sample: Sample, batch: str, name: str
) -> None:
    pipeline, more, outputs, expected = ORIGINAL[name]
    value = definition(batch, pipeline, running.upload(sample("astronaut.png")), **more)
    value["job_output"] = outputs
    start = more.get("processing_step", 0)
    running.put(pipeline[start], json.dumps(value))
    properties = running.wait(batch, ["myjobId"]).properties

    states = {
        step: str(properties[step]).partition(": ")[2] for step in pipeline if step in properties
    }
    assert states | {"job_state": properties["job_state"]} == expected
    for number, step in enumerate(pipeline):
        if step in properties:
            assert str(properties[step]).startswith(f"step {number}: ")
    if name == "step-facecrop":
        crops = json.loads(properties["facecrop_output"])["faces"]
        assert [(crop["width"], crop["height"]) for crop in crops] == [
            (40 + n, 50) for n in range(4)
        ]
    if name == "crop":
        assert "did you mean facecrop?" in properties["facedcrop_exception"]
    if name == "step-faceprint":
        assert "job_output.facedetection.faces: field required" in properties["faceprint_exception"]


@pytest.mark.parametrize("url", ["YOUR_IMAGE_URL", "<<URL>>", "your image url"])
def test_a_placeholder_left_in_fails_the_job_and_nothing_else(
    running: Installation, batch: str, url: str
) -> None:
    running.put("sample", json.dumps(definition(batch, ["sample", "pipelineoutput"], url)))
    properties = running.wait(batch, ["myjobId"]).properties

    assert properties["job_state"] == "failed"
    assert properties["sample"] == "step 0: failed"
    assert f"image_url: {url!r} is not an http(s) address" in properties["sample_exception"]
    assert properties["pipelineoutput"] == "step 1: success"


@pytest.mark.parametrize("encode", [str, lambda text: base64.b64encode(text.encode()).decode()])
def test_text_and_base64_from_a_plain_client_are_processed(
    running: Installation, sample: Sample, batch: str, encode: Callable[[str], str]
) -> None:
    value = definition(batch, ["sample", "pipelineoutput"], running.upload(sample("coffee.png")))
    running.put("sample", encode(json.dumps(value)))
    properties = running.wait(batch, ["myjobId"]).properties

    assert properties["job_state"] == "succeeded"
    assert properties["sample"] == "step 0: success"
    assert json.loads(properties["sample_output"]) == {"width": 600, "height": 400, "format": "PNG"}
    assert json.loads(properties["job_output"])["job_output"]["pipelineoutput"] == {"done": True}
    kept = running.runtime.results.read((batch, "myjobId"))
    assert kept is not None
    assert kept.job_output["sample"]["width"] == 600


def test_a_photo_from_a_web_site_is_fetched_once_and_its_token_forgotten(
    running: Installation, site: str, batch: str
) -> None:
    url = f"{site}/photo.jpg?token=secret"
    running.put(
        "facedetection",
        json.dumps(definition(batch, ["facedetection", "facecrop", "outside"], url)),
    )
    entry = running.wait(batch, ["myjobId"])

    assert entry.properties["image_url"] == f"{site}/photo.jpg"
    assert entry.properties["facecrop"] == "step 1: success"
    # The log says so a moment before the message is there; the first one makes its queue.
    items: list[QueueItem] = []

    def has_come() -> bool:
        with suppress(NotFound):
            items.extend(running.runtime.queues.receive("outside", 32, 60))
        return bool(items)

    until(has_come)
    (item,) = items
    assert "secret" not in item.body
    assert "secret" not in str(dict(entry.properties))
    assert "secret" not in running.log_text
    running.runtime.queues.clear("outside")


def bomb() -> bytes:
    """Return a PNG of a few kilobytes that claims 10,000 x 10,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 0, 0, 0, 0)
    body = zlib.compress(b"\x00" * 10_001 * 10_000, 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def corrupt(sample: Sample) -> bytes:
    return sample("page.png")[:20_000]  # of a JPEG that is cut, what is there would be read


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("corrupt", "the photo is damaged"),
        ("bomb", "limit is 64 megapixels"),
        ("text", "not a photo that can be read"),
        ("missing", "there is no photo at"),
        ("not found", "answered 404: check the address"),
        ("metadata", "169.254.169.254, an address inside a network"),
        ("other container", "photos are read from inputimages and faces only"),
    ],
)
def test_a_photo_that_cannot_be_used_ends_the_job_with_a_reason(
    running: Installation, sample: Sample, site: str, batch: str, case: str, reason: str
) -> None:
    blobs = running.runtime.blobs
    places: dict[str, Callable[[], str]] = {
        "corrupt": lambda: running.upload(corrupt(sample)),
        "bomb": lambda: running.upload(bomb()),
        "text": lambda: running.upload(b"<html>no photo</html>"),
        "missing": lambda: running.upload(b"") + "-not-there",
        "not found": lambda: f"{site}/nothing.jpg",
        "metadata": lambda: "http://169.254.169.254/latest/meta-data/",
        "other container": lambda: blobs.put("secrets", "a", sample("coffee.png"), "image/png"),
    }
    url = places[case]()
    running.job(
        url, ("generalclassification", "facedetection", "facecrop", "pipelineoutput"), batch=batch
    )
    properties = running.wait(batch).properties

    assert reason in properties["generalclassification_exception"]
    states = [
        str(properties[name]).partition(": ")[2]
        for name in ("generalclassification", "facedetection", "facecrop", "pipelineoutput")
    ]
    assert states == ["failed", "failed", "skipped", "success"]
    assert properties["job_state"] == "failed"
    assert running.outputs(batch) == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hello", "neither JSON nor base64"),
        ('{"job_definition": {"input": {"image_url": "x"}}}', "job_definition.id: field required"),
        ('{"job_definition": {"id": "a", "input": {"image_url": "x"}, "processing_step": 9}}', "9"),
    ],
)
def test_an_invalid_message_is_poisoned_with_its_reason(
    running: Installation, text: str, reason: str
) -> None:
    message_id = running.put("sample", text)
    entry = running.wait_poisoned(message_id, "sample")

    assert reason in entry.reason
    assert entry.body == text
    assert entry.attempts == 1


def test_outputs_over_a_property_are_linked(
    running: Installation, sample: Sample, batch: str
) -> None:
    """An output of 40 KB from the sender and the faces of a crowd: log, message and SQL work."""
    with Image.open(io.BytesIO(sample("astronaut.png"))) as opened:
        person = opened.convert("RGB").crop((100, 20, 340, 280)).resize((120, 130))
    crowd = Image.new("RGB", (2400, 1560), "white")
    for number in range(240):
        crowd.paste(person, (number % 20 * 120, number // 20 * 130))
    out = io.BytesIO()
    crowd.save(out, "JPEG", quality=92)
    running.job(
        running.upload(out.getvalue()),
        ("facedetection", "faceprint", "pipelineoutput"),
        batch=batch,
        job_output={"notes": {"text": "n" * 40_000}},
    )
    entry = running.wait(batch, seconds=240)

    assert entry.properties["job_state"] == "succeeded"
    linked = json.loads(entry.properties["facedetection_output"])
    assert set(linked) == {"linked_content"}
    place = running.runtime.blobs.locate(linked["linked_content"])
    assert place is not None
    assert place[0] == "largemessages"
    data = running.runtime.blobs.get(*place, 10_000_000)
    assert len(data) > 64 * 1024
    outputs = running.outputs(batch)
    assert outputs["facedetection"] == json.loads(data)
    assert len(outputs["facedetection"]["faces"]) >= 100  # all that Azure Face gives
    assert outputs["notes"] == {"text": "n" * 40_000}


def test_a_defect_ends_in_pipelinepoison_through_the_poison_queue(
    running: Installation, batch: str
) -> None:
    """A message that the host poisoned without calling our code is moved with its job's id."""
    value = definition(batch, ["sample", "pipelineoutput"], "https://x.test/a")
    message_id = running.put("sample-poison", json.dumps(value))
    entry = running.wait_poisoned(message_id, "sample")

    assert (entry.batch_id, entry.job_id) == (batch, "myjobId")
    assert "5 times" in entry.reason


def test_the_host_keeps_running(running: Installation, sample: Sample, batch: str) -> None:
    assert len(running.host.worker_pids) == 2
    running.job(running.upload(sample("coffee.png")), ("sample",), batch=batch)
    assert running.wait(batch).properties["job_state"] == "succeeded"


def test_matching_faces_that_the_gallery_does_not_know_fails_with_the_fix(
    running: Installation, sample: Sample, batch: str
) -> None:
    """facematch on its own, with a faceprint of another installation."""
    prints = {
        "faces": [
            {"face_id": original_face(1)["FaceId"], "model": "m", "dimensions": 1, "quality": 1}
        ]
    }
    url = running.upload(sample("coffee.png"))
    pipeline = ("facematch", "pipelineoutput")
    running.job(url, pipeline, batch=batch, job_output={"faceprint": prints})
    properties = running.wait(batch).properties

    assert "put faceprint before facematch" in properties["facematch_exception"]
    assert properties["pipelineoutput"] == "step 1: success"


def test_a_photo_outside_the_two_containers_is_not_reached_by_a_detour(
    running: Installation, sample: Sample, batch: str
) -> None:
    running.runtime.blobs.put("secrets", "photo.png", sample("coffee.png"), "image/png")
    root = running.upload(b"", "x").rpartition("/")[0]
    running.job(f"{root}/a/../../secrets/photo.png", ("sample",), batch=batch)
    properties = running.wait(batch).properties

    assert properties["sample"] == "step 0: failed"
    assert "inside a network" in properties["sample_exception"]
