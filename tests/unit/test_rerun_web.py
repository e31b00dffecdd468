"""Running jobs again from a step and comparing, through the API and on a photo's page."""

import json

import pytest
from fastapi.testclient import TestClient

from imaginem.outputs import OcrText, TextLine
from imaginem.pipeline.steps import default_registry
from imaginem.ports import CallContext
from imaginem.testing import MemoryServices, run_all
from tests.dashboard import client, client_after_one_job, principal, web_services


class Reader:
    """Reads one line, whatever is in the photo."""

    def __init__(self, name: str) -> None:
        self.name = name

    def read(self, photo: object, call: CallContext) -> OcrText:
        line = TextLine(text=f"read by {self.name}", polygon=[0] * 8, confidence=0.9)
        return OcrText(full_text=line.text, lines=[line])


@pytest.fixture
def services() -> MemoryServices:
    services = web_services()
    services.ocr = Reader("local")
    services.engines["ocr=azure"] = Reader("azure")
    return services


@pytest.fixture
def api(services: MemoryServices) -> TestClient:
    return client_after_one_job(services)


def test_a_job_is_run_again_with_another_engine_and_compared(
    services: MemoryServices, api: TestClient
) -> None:
    assert api.get("/api/jobs/b/x/comparison").status_code == 404
    asked = {"from_step": "ocr", "engines": {"ocr": "azure"}}
    sent = api.post("/api/jobs/b/x/rerun", json=asked)
    assert (sent.status_code, sent.json()["state"]) == (202, "queued")
    assert api.get("/api/jobs/b/x/comparison").status_code == 404  # it has not ended
    assert api.post("/api/jobs/b/x/rerun", json=asked).status_code == 409
    run_all(services, default_registry)

    told = api.get("/api/jobs/b/x/comparison").json()
    assert (told["from_step"], told["engines"]) == ("ocr", {"ocr": "azure"})
    (ocr,) = [step for step in told["steps"] if step["step"] == "ocr"]
    assert [(c["sign"], c["what"], c["name"]) for c in ocr["changes"]] == [
        ("-", "line", "read by local"),
        ("+", "line", "read by azure"),
    ]
    table = api.get("/photos/b/x").text.partition("Before and after")[2]
    assert "ocr=azure" in table
    assert 0 < table.index("read by local") < table.index("read by azure")


@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [
        ({}, 422, "from_step"),
        ({"from_step": "facecropp"}, 422, "has no step 'facecropp'"),
        ({"from_step": "ocr", "engines": {"sound": "azure"}}, 422, "no kind of engine 'sound'"),
        ({"from_step": "ocr", "engines": {"ocr": "odd"}}, 503, "no engine 'odd'"),
        ({"from_step": "ocr", "engines": {"ocr": ""}}, 422, "engines"),
        ({"from_step": "ocr", "engine": "azure"}, 422, "engine"),
    ],
)
def test_what_is_wrong_is_told(
    api: TestClient, asked: dict[str, object], status: int, told: str
) -> None:
    answer = api.post("/api/jobs/b/x/rerun", json=asked)
    assert (answer.status_code, told in json.dumps(answer.json())) == (status, True), answer.text


def test_a_job_that_is_not_there_or_not_for_the_caller_is_not_run(
    services: MemoryServices, api: TestClient
) -> None:
    assert api.post("/api/jobs/b/y/rerun", json={"from_step": "ocr"}).status_code == 404
    services.batches.open_batch("theirs", "their-group")
    shut = client(services, "platform", **principal("caseworker", groups=("mine",)))
    for address in ("/api/jobs/theirs/x", "/photos/theirs/x"):
        form = {"json": {"from_step": "ocr"}} if "api" in address else {"data": {"from_step": "o"}}
        assert shut.post(f"{address}/rerun", **form).status_code == 404  # type: ignore[arg-type]
    assert shut.get("/api/jobs/theirs/x/comparison").status_code == 404
    viewer = client(services, "platform", **principal("viewer"))
    assert viewer.post("/api/jobs/b/x/rerun", json={"from_step": "ocr"}).status_code == 403


def test_a_page_runs_a_job_again_from_a_step(services: MemoryServices, api: TestClient) -> None:
    page = api.get("/photos/b/x").text
    assert "Before and after" not in page
    assert "Run again from here: ocr" in page
    done = api.post("/photos/b/x/rerun", data={"from_step": "pipelineoutput"})
    assert (done.status_code, done.headers["HX-Refresh"]) == (204, "true")
    assert services.queues.count("pipelineoutput") == 1
    run_all(services, default_registry)
    assert "Nothing changed." in api.get("/photos/b/x").text
