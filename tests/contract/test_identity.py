"""Without a key: storage, Vision and Face with tokens of a managed identity, over https."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

import steps  # noqa: F401 - registers the steps
from imaginem.ai_emulator.chat import MODEL
from imaginem.config.identity import _made, get_token
from imaginem.config.settings import read_settings
from imaginem.errors import RetryableError, StorageUnavailable
from imaginem.host import EmulatorPorts
from imaginem.images.decoding import decode_photo
from imaginem.message import JobMessage
from imaginem.pipeline.process import Delivery, process_step
from imaginem.pipeline.steps import default_registry
from imaginem.ports import CallContext
from imaginem.runtime import Runtime
from imaginem.testing import MemorySharedState, message_for
from tests.ai_emulator import portrait
from tests.conftest import ROOT
from tests.identity import IdentityEndpoint, TokenEmulator, make_certificate

CALL = CallContext("b", "one", "facedetection")
STEPS = [
    "generalclassification",
    "ocr",
    "facedetection",
    "facecrop",
    "faceprint",
    "facematch",
    "pipelineoutput",
]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def emulator(certificate: tuple[Path, Path]) -> Iterator[TokenEmulator]:
    made = TokenEmulator(None, EmulatorPorts.free(), ROOT)
    made.certificate = certificate
    with made:
        yield made


@pytest.fixture
def identity(
    monkeypatch: pytest.MonkeyPatch, certificate: tuple[Path, Path]
) -> Iterator[IdentityEndpoint]:
    endpoint = IdentityEndpoint()
    monkeypatch.setenv("IDENTITY_ENDPOINT", endpoint.address)
    monkeypatch.setenv("IDENTITY_HEADER", "x")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    _made.cache_clear()
    yield endpoint
    _made.cache_clear()
    endpoint.stop()


@pytest.fixture(scope="module")
def ai_emulator(certificate: tuple[Path, Path]) -> Iterator[str]:
    """Address of an emulator that takes tokens by https."""
    command = [sys.executable, "-m", "tests.serve_ai_emulator", *map(str, certificate)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.fixture
def runtime(
    identity: IdentityEndpoint, emulator: TokenEmulator, ai_emulator: str, tmp_path: Path
) -> Iterator[Runtime]:
    services = {
        f"AzureWebJobsStorage__{service}ServiceUri": (
            f"https://127.0.0.1:{getattr(emulator.ports, service)}/devstoreaccount1"
        )
        for service in ("blob", "queue", "table")
    }
    made = Runtime(
        read_settings(
            {
                **services,
                "AZURE_CLIENT_ID": "00000000-1111-2222-3333-444444444444",
                "VISION_ENGINE": "azure",
                "FACE_ENGINE": "azure",
                "VISION_ENDPOINT": ai_emulator,
                "FACE_ENDPOINT": ai_emulator,
                "IMAGINEM_HOME": str(tmp_path),
            }
        )
    )
    yield made
    made.database.close()


def run(runtime: Runtime, message: JobMessage) -> None:
    """Take the job from queue to queue, as the triggers do."""
    runtime.queues.send(STEPS[0], message.encode())
    for name in STEPS:
        runtime.queues.create(name)
        for item in runtime.queues.receive(name, 1, 30):
            delivery = Delivery(item.body, item.id, item.dequeue_count)
            process_step(default_registry.get(name), delivery, runtime, default_registry)
            runtime.queues.delete(name, item)


def test_the_whole_pipeline_runs_without_a_key(
    runtime: Runtime, identity: IdentityEndpoint
) -> None:
    for job, noise in (("one", 0), ("two", 3)):
        url = runtime.blobs.put(
            "inputimages", f"b/{job}", portrait("ann", noise=noise), "image/png"
        )
        run(runtime, message_for(url, STEPS, job_id=job, batch_id="b"))
        entry = runtime.log.read(("b", job))
        assert entry is not None
        assert entry.properties["job_state"] == "succeeded", dict(entry.properties)
    result = runtime.results.read(("b", "two"))
    assert result is not None
    assert len(result.job_output["facematch"]["matches"]) == 1

    audiences = {asked.rstrip("/") for asked in identity.asked}
    assert audiences == {"https://storage.azure.com", "https://cognitiveservices.azure.com"}
    assert identity.clients == {"00000000-1111-2222-3333-444444444444"}
    assert len(identity.asked) == 2  # tokens are kept until they lapse


def test_the_successors_of_computer_vision_are_called_without_a_key(
    identity: IdentityEndpoint, ai_emulator: str, tmp_path: Path
) -> None:
    accounts = ("DOCUMENTINTELLIGENCE", "CONTENTUNDERSTANDING")
    successors = Runtime(
        read_settings(
            {
                **{f"{account}_ENDPOINT": ai_emulator for account in accounts},
                "AZURE_CLIENT_ID": "00000000-1111-2222-3333-444444444444",
                "VISION_ENGINE": "contentunderstanding",
                "IMAGINEM_HOME": str(tmp_path),
                "IMAGINEM_ASSETS": str(tmp_path),
            }
        )
    )
    successors.made["shared_state"] = MemorySharedState()
    photo = decode_photo(portrait("ann"))
    assert successors.vision.analyze(photo, CALL).tags
    assert successors.ocr.read(photo, CALL).lines
    assert {asked.rstrip("/") for asked in identity.asked} == {
        "https://cognitiveservices.azure.com"
    }


def test_a_foundry_account_is_asked_without_a_key(
    identity: IdentityEndpoint,
    ai_emulator: str,
    tmp_path: Path,
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    settings = {
        "AZURE_CLIENT_ID": "00000000-1111-2222-3333-444444444444",
        "VISION_ENGINE": "openai",
        "OPENAI_ENDPOINT": ai_emulator,
        "OPENAI_IDENTITY": "on",
        "OPENAI_MODEL": MODEL,
        "IMAGINEM_HOME": str(tmp_path),
        "IMAGINEM_ASSETS": str(tmp_path),
    }
    foundry = Runtime(read_settings(settings))
    foundry.made["shared_state"] = MemorySharedState()
    assert foundry.vision.analyze(decode_photo(portrait("ann")), CALL).tags
    assert [asked.rstrip("/") for asked in identity.asked] == [
        "https://cognitiveservices.azure.com"
    ]

    monkeypatch.setenv("IDENTITY_HEADER", "wrong")
    _made.cache_clear()
    with pytest.raises(RetryableError, match="gets no token"):
        foundry.ocr.read(decode_photo(portrait("ann")), CALL)
    monkeypatch.delenv("SSL_CERT_FILE")
    strict = Runtime(read_settings({**settings, "OPENAI_IDENTITY": "off"}))
    strict.made["shared_state"] = MemorySharedState()
    with pytest.raises(RetryableError, match="CERTIFICATE_VERIFY_FAILED"):
        strict.vision.analyze(decode_photo(portrait("ann")), CALL)


def test_a_link_is_signed_by_the_identity_for_one_photo_and_a_while(runtime: Runtime) -> None:
    """Azurite 3.36 gives the key to sign with, but checks signatures of older versions only."""
    link = urlsplit(runtime.blobs.link("inputimages", "b/photo", 15))
    told = {name: values[0] for name, values in parse_qs(link.query).items()}

    assert link.path.endswith("/inputimages/b/photo")
    assert (told["sp"], told["sr"], told["sks"]) == ("r", "b", "b")
    assert told["skoid"] == "23657296-5cd5-45b0-a809-d972a7f4dfe1"
    ends = datetime.fromisoformat(told["se"])
    assert timedelta(minutes=13) < ends - datetime.now(UTC) < timedelta(minutes=16)


def test_an_identity_that_gets_no_token_is_told_as_such(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")
    _made.cache_clear()
    with pytest.raises(StorageUnavailable, match="AzureWebJobsStorage") as told:
        runtime.queues.names()
    assert len(str(told.value)) < 600
    with pytest.raises(RetryableError, match="gets no token") as refused:
        get_token(runtime.settings.client_id, "https://database.windows.net/.default")
    assert "AZURE_CLIENT_ID" in str(refused.value)
    runtime.made["shared_state"] = MemorySharedState()
    with pytest.raises(RetryableError, match="gets no token"):
        runtime.vision.analyze(decode_photo(portrait("ann")), CALL)
    with pytest.raises(RetryableError, match="gets no token"):
        runtime.faces.detect(decode_photo(portrait("ann")), CALL)
