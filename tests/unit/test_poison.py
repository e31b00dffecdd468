"""pipelinepoison: what is kept of a message, and what never is."""

import base64
import json

import pytest

from imaginem.errors import NotFound
from imaginem.pipeline.poison import bury, keep_invalid, replay
from imaginem.testing import MemoryServices

SECRET = {
    "job_definition": {
        "id": "job-1",
        "input": {
            "image_url": "https://x.test/a.jpg?sig=very-secret",
            "image_parameters": {
                "password": "very-secret",
                "note": "see https://y.test/?k=very-secret",
            },
        },
        "processing_pipeline": ["sample"],
    },
    "job_output": {
        "ocr": {"full_text": 'See "https://z.test/?q=very-secret" or password: very-secret'}
    },
}


@pytest.mark.parametrize("encode", [str, lambda text: base64.b64encode(text.encode()).decode()])
def test_a_kept_body_is_json_without_secrets(encode: object) -> None:
    services = MemoryServices()
    text = json.dumps(SECRET)
    body = text if encode is str else base64.b64encode(text.encode()).decode()
    keep_invalid(services, "sample", "m1", body, "because")

    (kept,) = services.poison.list()
    assert "very-secret" not in kept.body
    value = json.loads(kept.body)
    assert value["job_definition"]["input"]["image_url"] == "https://x.test/a.jpg"
    assert kept.job_id == "job-1"


def test_a_replayed_message_is_still_a_job() -> None:
    services = MemoryServices()
    keep_invalid(services, "sample", "m1", json.dumps(SECRET), "because")
    replay(services, "sample", "m1")

    (item,) = services.queues.receive("sample", 1, 1)
    assert json.loads(item.body)["job_definition"]["id"] == "job-1"
    assert services.poison.list() == []


def test_ids_and_reasons_of_any_length_can_be_kept() -> None:
    services = MemoryServices()
    long = {"job_definition": {"id": "x" * 40_000, "input": {"image_url": "u"}}}
    keep_invalid(services, "sample", "m1", json.dumps(long), "because")
    names = {
        "job_definition": {
            "id": "a",
            "input": {"image_url": "u"},
            "processing_pipeline": ["N" * 40_000],
        }
    }
    bury(services, "sample", "m2", json.dumps(names))

    one, other = services.poison.list()
    assert len(one.job_id) == 512
    assert len(other.reason) <= 600


def test_what_is_not_there_cannot_be_replayed() -> None:
    with pytest.raises(NotFound):
        replay(MemoryServices(), "sample", "m1")
