"""What a step sees of its job."""

from typing import Any

import pytest
from PIL import Image

from imaginem import JobContext, PermanentError
from imaginem.message import decode_message
from imaginem.testing import MemoryServices, job_for, message_for
from tests.workbench import Bench, Found


def test_a_job_tells_its_ids_its_pipeline_and_what_its_sender_said() -> None:
    services = MemoryServices()
    body = """{"job_definition": {"id": "a", "batch_id": "b", "processing_step": 1,
        "input": {"image_url": "https://x.test/a?sig=secret", "image_classifiers": ["c"],
                  "image_parameters": {"p": 1}},
        "processing_pipeline": ["ocr", "sample"],
        "_imaginem": {"run": "r", "fence": "f", "unfinished": ["ocr"]}}}"""
    job = JobContext(decode_message(body, ()), services)

    assert (job.batch_id, job.job_id, job.key) == ("b", "a", ("b", "a"))
    assert job.image_url == "https://x.test/a"
    assert (job.image_classifiers, job.image_parameters) == (["c"], {"p": 1})
    assert job.pipeline == ("ocr", "sample")
    assert job.unsuccessful == ("ocr",)
    assert job.log.extra == {"batch_id": "b", "job_id": "a", "step": "sample"}
    assert job.log.logger.name == "imaginem.steps"


def test_a_job_hands_out_the_engines_and_results_of_its_services() -> None:
    services = MemoryServices()
    job = job_for(services=services)

    assert job.vision is services.vision
    assert job.ocr is services.ocr
    assert job.faces is services.faces
    assert job.recognizer is services.recognizer
    assert job.results is services.results


def test_a_picture_is_kept_in_the_faces_container_in_the_jobs_folder() -> None:
    written: list[tuple[str, str, str]] = []
    services = MemoryServices()
    put = services.blobs.put

    def watched(container: str, name: str, data: bytes, content_type: str, **more: Any) -> str:
        written.append((container, name, content_type))
        return put(container, name, data, content_type, **more)

    services.blobs.put = watched  # type: ignore[method-assign]
    job = job_for(services=services)
    url = job.save_png("face", Image.new("RGB", (2, 1), "red"))

    assert written[-1] == ("faces", "batch-1/job-1/face.png", "image/png")
    assert services.blobs.locate(url) == ("faces", "batch-1/job-1/face.png")


@pytest.mark.parametrize(
    ("outputs", "told"),
    [
        (
            {},
            "the output of first is missing: put first before this step in "
            "processing_pipeline, or its output into job_output",
        ),
        ({"first": {"what": 7}}, "job_output.first.what: input should be a valid string"),
    ],
)
def test_an_output_that_can_not_be_read_is_told(
    bench: Bench, outputs: dict[str, Any], told: str
) -> None:
    job = JobContext(message_for(bench.url, ["second"], outputs=outputs), bench.services)
    with pytest.raises(PermanentError) as problem:
        job.output(bench.first)
    assert str(problem.value) == told


def test_an_output_is_found_in_whatever_case_it_is_written(bench: Bench) -> None:
    for outputs, what in (
        ({"First": {"what": "capital"}}, "capital"),
        ({"FIRST": {"what": "capitals"}, "first": {"what": "small"}}, "small"),
        ({"second": {"what": "other"}, "fIRST": {"What": "mixed"}}, "mixed"),
    ):
        job = JobContext(message_for(bench.url, ["second"], outputs=outputs), bench.services)
        assert job.output(bench.first) == Found(what=what)


def test_linked_outputs_are_inlined(bench: Bench) -> None:
    name = "batch-1/job-1/first-1.json"
    url = bench.services.blobs.put("largemessages", name, b'{"what": "large"}', "")
    outputs = {"first": {"linked_content": url}, "other": {"any": "thing"}}
    job = JobContext(message_for(bench.url, ["second"], outputs=outputs), bench.services)

    assert job.outputs == {"first": {"what": "large"}, "other": {"any": "thing"}}
    assert job.output(bench.first).what == "large"
