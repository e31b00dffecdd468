"""`imaginem steps` shows the steps as the app's settings want them."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from imaginem.cli.__main__ import app

ROOT = Path(__file__).resolve().parents[2]
AZURE = {
    "FACE_ENGINE": "azure",
    "FACE_ENDPOINT": "https://ours.cognitiveservices.azure.com",
    "FACE_API_KEY": "a key",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An app's folder without settings of its own."""
    (tmp_path / "steps").symlink_to(ROOT / "steps")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # the command adds to it


def shown(*options: str, **settings: str) -> Result:
    """Return what is printed with these settings."""
    result = CliRunner().invoke(app, ["steps", *options], env=settings)
    assert result.exit_code == 0, result.output
    return result


def test_a_grid_makes_facedetection_a_step_over_several_photos() -> None:
    told = {step["name"]: step for step in json.loads(shown("--json", **AZURE).stdout)}
    assert told["facedetection"]["group"] == 0

    grid = {**AZURE, "FACE_GRID": "3x3", "FACE_GRID_SECONDS": "20"}
    told = {step["name"]: step for step in json.loads(shown("--json", **grid).stdout)}
    assert (told["facedetection"]["group"], told["facedetection"]["within"]) == (9, 20.0)
    line = "facedetection works on up to 9 photos of a batch at once; one waits 20 s for others"
    assert line in shown(**grid).stdout


def test_settings_that_are_wrong_hide_no_step() -> None:
    result = shown("--json", FACE_GRID="3x3", FACE_ENGINE="local")

    assert "FACE_GRID is '3x3', but FACE_ENGINE is 'local'" in result.stderr
    told = {step["name"]: step for step in json.loads(result.stdout)}
    assert told["facedetection"]["group"] == 0
