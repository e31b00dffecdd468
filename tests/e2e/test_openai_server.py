"""The whole pipeline with an OpenAI-compatible server, on real workers and storage."""

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator

import pytest

from imaginem.ai_emulator import AiEmulatorServer
from imaginem.ai_emulator.chat import MODEL
from imaginem.ai_emulator.chat_refusals import loading, over_limit
from imaginem.host import Emulator, EmulatorPorts
from imaginem.outputs import ImageAnalysis, OcrText
from imaginem.ports import PhotoFilter
from tests.ai_emulator import KEY
from tests.conftest import ROOT, copy_app
from tests.e2e.conftest import account_settings
from tests.installation import Installation, command_environment

PHOTOS = ("obama.jpg", "page.png")
PORT = EmulatorPorts.free().blob


def step_of_the_docs() -> str:
    page = (ROOT / "docs" / "engines.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page.partition("### Questions")[2], re.DOTALL)
    return str(code)


@pytest.fixture(scope="module")
def running(
    own_azurite: Emulator, ai_emulator: AiEmulatorServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    settings = account_settings(ai_emulator.address, ["OPENAI"])
    settings |= {"VISION_ENGINE": "openai", "OPENAI_MODEL": MODEL}
    home = tmp_path_factory.mktemp("openai")
    app = copy_app(tmp_path_factory.mktemp("asking") / "app")
    (app / "steps" / "ask.py").write_text(step_of_the_docs(), "utf-8")
    with Installation(
        app, home, own_azurite.connection_string, port=PORT, environment=settings
    ) as installation:
        yield installation


def test_jobs_run_whole_though_the_server_is_busy_first_and_knows_no_schema(
    running: Installation,
    ai_emulator: AiEmulatorServer,
    sample: Callable[[str], bytes],
    batch: str,
) -> None:
    chat = ai_emulator.ai_emulator.chat
    chat.formats = set()
    chat.next += [loading(), over_limit("vllm", 1), ("Certainly! A photo.", "stop")]
    running.process({name: sample(name) for name in PHOTOS}, batch=batch)

    page, portrait = (running.outputs(batch, name) for name in ("page.png", "obama.jpg"))
    analysis = ImageAnalysis.model_validate(portrait["generalclassification"])
    assert "person" in [tag.name for tag in analysis.tags]
    assert analysis.model_version == MODEL
    assert analysis.objects  # of the local engine, which is here
    text = OcrText.model_validate(page["ocr"])
    assert "Region" in text.full_text
    assert text.without_places is True
    found = running.runtime.catalogue.photos(PhotoFilter(text="region", batch=batch))
    assert [photo.id for photo in found.photos] == ["page.png"]
    assert chat.photos
    assert not [data for data in chat.photos if b"Exif" in data]


def test_pages_and_doctor_say_where_photos_go(
    running: Installation, ai_emulator: AiEmulatorServer
) -> None:
    host = ai_emulator.address.removeprefix("http://")
    told = f"Photos are sent to {host} on this machine (for vision, ocr, questions)."
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/upload") as answer:
        assert told in answer.read().decode()
    ran = subprocess.run(
        [sys.executable, "-m", "imaginem.cli", "doctor", "--json"],
        cwd=ROOT,
        env=command_environment(running.environment),
        capture_output=True,
        text=True,
        check=False,
    )
    findings = {finding["check"]: finding for finding in json.loads(ran.stdout)}
    assert findings["where photos go"]["note"] == told
    assert findings["engine for vision"]["problem"] == ""
    assert told in running.log_text  # each worker says it when it starts
    assert f"Bearer {KEY}" not in running.log_text


def test_the_step_of_the_guide_asks_what_a_job_says(
    running: Installation,
    ai_emulator: AiEmulatorServer,
    sample: Callable[[str], bytes],
    batch: str,
) -> None:
    chat = ai_emulator.ai_emulator.chat
    pipeline = ["ask", "pipelineoutput"]
    definition = {
        "id": "job-1",
        "batch_id": batch,
        "input": {"image_url": running.upload(sample("obama.jpg"))},
        "processing_pipeline": pipeline,
        "step_parameters": {"ask": {"question": "Is there a $tent?"}},
    }
    running.put("ask", json.dumps({"job_definition": definition}))
    running.wait(batch)

    told = running.outputs(batch)["ask"]
    assert told["question"] == "Is there a $tent?"
    assert told["answer"]
    assert told["can_tell"] is True
    assert "The question: Is there a $tent?\n" in chat.requests[-1]["messages"][0]
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/photos/{batch}/job-1") as answer:
        page = answer.read().decode()
    assert "Is there a $tent?" in page
    assert told["answer"] in page
    by_answer = PhotoFilter(text=told["answer"].split()[-1].strip("."), batch=batch)
    assert [found.id for found in running.runtime.catalogue.photos(by_answer).photos] == ["job-1"]
    # Words of the question would find every photo that it was asked of.
    by_question = PhotoFilter(text="tent", batch=batch)
    assert not running.runtime.catalogue.photos(by_question).photos
