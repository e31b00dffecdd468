"""docs/api.md is true: its examples run, in order, against a running Imaginem."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from imaginem.host import Emulator, EmulatorPorts
from imaginem.web.addresses import path
from tests.conftest import ROOT
from tests.installation import Installation
from tests.waiting import until

PAGE = (ROOT / "docs" / "api.md").read_text("utf-8")


@pytest.fixture(scope="module")
def served(
    own_azurite: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Installation, str]]:
    port = EmulatorPorts.free().blob
    home = tmp_path_factory.mktemp("home")
    connection = own_azurite.connection_string
    with Installation(ROOT, home, connection, port=port) as installation:
        yield installation, f"http://127.0.0.1:{port}"


def curl(command: str, address: str, folder: Path) -> tuple[int, str]:
    """Run an example as a shell would; return its status and answer."""
    words = shlex.split(command.replace("http://127.0.0.1:7071", address))
    done = subprocess.run(
        [words[0], "-sS", "-w", "\n%{http_code}", *words[1:]],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    text, _, status = done.stdout.rpartition("\n")
    return int(status), text


def wait(address: str, folder: Path) -> None:
    """Wait until every job that was sent has ended."""

    def have_ended() -> bool:
        summary = json.loads(curl(f"curl {address}/api/batches/spring", address, folder)[1])
        return bool(summary["ended"] == summary["submitted"])

    until(have_ended)


def test_every_example_runs(served: tuple[Installation, str], tmp_path: Path) -> None:
    installation, address = served
    photo = installation.assets.path("page.png").read_bytes()
    (tmp_path / "photo.jpg").write_bytes(photo)
    examples = re.findall(r"^curl .+$", PAGE, re.MULTILINE)
    assert len(examples) > 15
    for example in examples:
        if any(word in example for word in ("?text", "cancel", "retry", "rerun", "DELETE")):
            wait(address, tmp_path)
        status, text = curl(example, address, tmp_path)
        expected = (404,) if "batches/none" in example else (200, 201, 202)
        assert status in expected, f"{example}: {text}"
        if example.endswith("/spring/images") and "job_id" not in example:
            assert re.fullmatch(r"photo\.jpg-[0-9a-f]{8}", json.loads(text)["job_id"])
    problem = json.loads(curl(examples[-1], address, tmp_path)[1])
    assert problem == json.loads(re.findall(r"^\{\"type\".+$", PAGE, re.MULTILINE)[0])


@pytest.mark.parametrize(
    "name", ["plain.jpg", "a b", "ä/ö", "50%", "a%2Fb", "..", ".", "q?x#y", "\\", "<b>", "日本"]
)
def test_any_id_fits_into_an_address(
    served: tuple[Installation, str], name: str, tmp_path: Path
) -> None:
    installation, address = served
    url = installation.upload(b"no photo")
    installation.job(url, ["ocr"], batch=name, job=name)
    installation.wait(name, [name])
    job = f"/api/jobs/{path(name)}/{path(name)}"
    status, text = curl(f"curl --path-as-is '{address}{job}'", address, tmp_path)
    assert status == 200, text
    assert (json.loads(text)["batch_id"], json.loads(text)["job_id"]) == (name, name)
    assert path("a/b") == "a%252Fb"
    assert path("ä") == quote("ä")


def test_a_request_that_is_too_large_is_refused_before_it_is_read(
    served: tuple[Installation, str], tmp_path: Path
) -> None:
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(200 * 1024 * 1024)
    command = "curl -F file=@huge.jpg http://127.0.0.1:7071/api/batches/huge/images"
    status, text = curl(command, served[1], tmp_path)
    assert status == 413
    assert "send photos one by one" in text


def test_odd_addresses_and_headers_are_no_defects(
    served: tuple[Installation, str], tmp_path: Path
) -> None:
    for odd in (
        "'http://127.0.0.1:7071/api/batches/%25FF'",
        "'http://127.0.0.1:7071/api/batches/%FF'",
        "-H 'Origin: http://[' -X POST http://127.0.0.1:7071/api/pipeline/resolve",
        "-X TRACE http://127.0.0.1:7071/api/tags",
    ):
        status, _ = curl(f"curl {odd}", served[1], tmp_path)
        assert 400 <= status < 500, odd
