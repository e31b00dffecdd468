"""`imaginem submit`: what is sent of a folder, and what is not."""

import json
from pathlib import Path

import pytest

from imaginem.host import Emulator
from imaginem.runtime import Runtime
from imaginem.testing import photo_bytes
from tests.conftest import ROOT
from tests.terminal import Cli, terminal


@pytest.fixture
def cli(runtime: Runtime, own_azurite: Emulator, monkeypatch: pytest.MonkeyPatch) -> Cli:
    return terminal(monkeypatch, own_azurite, runtime.settings.home)


def test_less_usual_names_are_sent_and_the_others_are_told(
    cli: Cli, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, file in enumerate(("a.png", "b.jfif", "c.mpo", "d", "e.JPG_large", "f.ico")):
        (folder / file).write_bytes(photo_bytes(width=40 + number))
    app = ("--app", str(ROOT))

    sent = cli("submit", str(folder), "--batch", name, *app)
    assert "3 jobs sent" in sent.stdout
    assert f"3 files are left out, as photos' names end otherwise: {folder / 'd'}" in sent.stderr
    told = json.loads(cli("submit", str(folder), "--batch", name, "--json", *app).stdout)
    assert len(told["photos"]) == 3
    assert told["left_out"] == [str(folder / file) for file in ("d", "e.JPG_large", "f.ico")]
    forecast = json.loads(cli("forecast", str(folder), "--json", *app).stdout)
    assert (forecast["photos"], forecast["left_out"]) == (3, told["left_out"])
    itself = cli("submit", str(folder / "d"), "--batch", name, *app)
    assert "1 job sent" in itself.stdout

    waits = cli("search", "Vincent", "--batch", name, *app)
    assert f"Still being looked at: 4 of 4 photos in batch {name}." in waits.stderr
    assert "no photo has these words so far" in waits.stderr
