"""Text that was seen and can't be read is said wherever people look for text."""

import gzip
import hashlib
import io
import tarfile
from pathlib import Path
from typing import cast

import pytest
from fastapi.testclient import TestClient
from rich.console import Console

from imaginem.assets import Asset, AssetStore, Manifest, Package
from imaginem.assets import fetch as fetch_module
from imaginem.cli.doctor import unread_languages
from imaginem.cli.report import result_table
from imaginem.config.settings import read_settings
from imaginem.engines.alphabets import unreadable
from imaginem.engines.local.scripts.data import LanguageData
from imaginem.outputs import OcrText, TextLine
from imaginem.ports import CallContext
from imaginem.runtime import Runtime
from imaginem.testing import MemoryServices
from tests.dashboard import client_after_one_job, web_services

SAID = "text in Hebrew, not readable here"
READ = TextLine(text="מגן דוד אדום", polygon=[0] * 8, confidence=0.9, script="Hebr", language="he")
UNREAD = TextLine(
    text="", polygon=[1] * 8, confidence=0, script="Hebr", unreadable=unreadable("Hebr")
)


_ACCOUNT = {"VISION_ENDPOINT": "https://an.cognitiveservices.azure.com"}


class Reader:
    """Sees two lines and can read one."""

    name = "reader"

    def read(self, photo: object, call: CallContext) -> OcrText:
        return OcrText(full_text=READ.text, lines=[READ, UNREAD], language="he")


@pytest.fixture
def services() -> MemoryServices:
    services = web_services()
    services.ocr = Reader()
    return services


@pytest.fixture
def api(services: MemoryServices) -> TestClient:
    return client_after_one_job(services)


def test_the_page_says_it(api: TestClient) -> None:
    page = api.get("/photos/b/x").text
    assert f"<em>{SAID}</em>" in page
    assert READ.text in page


def test_the_api_says_it_with_the_script(api: TestClient) -> None:
    lines = api.get("/api/jobs/b/x").json()["job_output"]["ocr"]["lines"]
    assert [line.get("unreadable") for line in lines] == [None, SAID]
    assert [(line["script"], line.get("language")) for line in lines] == [
        ("Hebr", "he"),
        ("Hebr", None),
    ]


def test_nobody_finds_the_photo_by_the_sentence(api: TestClient) -> None:
    assert api.get("/api/images", params={"text": "readable"}).json()["images"] == []
    assert api.get("/api/images", params={"text": "מגן"}).json()["images"]


def test_the_command_line_says_it(services: MemoryServices, api: TestClient) -> None:
    shown = io.StringIO()
    Console(file=shown, width=200).print(result_table(cast(Runtime, services), "b", ["x"]))
    assert SAID in shown.getvalue()


def test_the_doctor_says_what_can_not_be_read_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # This machine's own data would be found as well.
    monkeypatch.setattr(LanguageData, "_installed", lambda self, names: None)
    asked = {"IMAGINEM_ASSETS": str(tmp_path), "OCR_LANGUAGES": "am,ti"}
    (finding,) = unread_languages(read_settings(asked))
    assert finding.problem == ""
    assert "Amharic, Tigrinya" in finding.note
    assert "imaginem assets fetch" in finding.note
    (of_system,) = unread_languages(read_settings({**asked, "OCR_LANGUAGES": "km,lo"}))
    assert "Khmer, Lao" in of_system.note and "imaginem assets fetch" not in of_system.note
    assert "apt-get install tesseract-ocr-script-khmr tesseract-ocr-script-laoo" in of_system.note
    (none,) = unread_languages(read_settings({**asked, "OCR_LANGUAGES": "none"}))
    assert none.note == ""
    assert unread_languages(read_settings({**asked, "OCR_ENGINE": "azure", **_ACCOUNT})) == []


def test_packed_data_is_unpacked_and_pinned_by_what_is_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, member = b"letters of a language", "package/amh.traineddata.gz"
    archive = tmp_path / "pack.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        packed = gzip.compress(data)
        entry = tarfile.TarInfo(member)
        entry.size = len(packed)
        tar.addfile(entry, io.BytesIO(packed))
    sha256 = hashlib.sha256(data).hexdigest()
    asset = Asset(
        "a.traineddata", "language amh", sha256, len(data), "Apache-2.0", "pack==1", member
    )
    package = Package("pack==1", "npm", archive.name, "0" * 64, 10)
    store = AssetStore(tmp_path / "cache", Manifest({"pack==1": package}, {asset.name: asset}))
    monkeypatch.setattr(fetch_module, "download", lambda package, folder, progress: archive)

    assert fetch_module.fetch(store, ["model"], lambda name, done, size: None) == []
    fetch_module.fetch(store, ["language amh"], lambda name, done, size: None)
    assert store.path("a.traineddata").read_bytes() == data
