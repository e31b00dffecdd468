"""The command line against a real `imaginem start`, on an app in a folder of its own."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from imaginem.host import Emulator
from imaginem.usecases.admission import made_id, photo_digest
from tests.command_line import CommandLine, free_port, own_storage
from tests.conftest import copy_app
from tests.e2e.conftest import command_line, start
from tests.waiting import PATIENCE

Sample = Callable[[str], bytes]


@dataclass(frozen=True)
class Running:
    """A running app that no test changes, and the command line beside it."""

    cli: CommandLine
    port: int


@pytest.fixture(scope="module")
def running(azurite: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    app = copy_app(tmp_path_factory.mktemp("running") / "app")
    cli, port = command_line(app, azurite.connection_string), free_port()
    with start(cli, port):
        yield Running(cli, port)


def test_a_new_step_works_after_editing_one_file(
    cli: CommandLine, started: subprocess.Popen[str], sample: Sample, tmp_path: Path
) -> None:
    """The commands and the code of docs/add-a-step.md, in its order."""
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(sample("grace_hopper.jpg"))
    guide = (Path(__file__).parents[2] / "docs" / "add-a-step.md").read_text("utf-8")
    commands = re.findall(r"^imaginem (.+)$", guide, re.MULTILINE)
    (code,) = re.findall(r"```python\n(.+?)```", guide, re.DOTALL)[:1]

    assert commands[0] == "new-step blurriness"
    cli(*commands[0].split())
    assert started.stdout is not None
    assert "ready" in started.stdout.readline()
    tested = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "tests/unit/test_blurriness.py",
            "-p",
            "no:cacheprovider",
        ],
        cwd=cli.app,
        env={**cli.environment, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
    )
    assert tested.returncode == 0, tested.stdout
    (cli.app / "steps" / "blurriness.py").write_text(code)
    assert "ready" in started.stdout.readline()

    submit = next(command for command in commands if command.startswith("submit"))
    assert submit == "submit photo.jpg --pipeline blurriness,pipelineoutput --wait"
    shown = cli(*submit.replace("photo.jpg", str(photo)).split())
    assert "1/1 jobs ended: 1 succeeded" in shown
    batch = re.findall(r"batch (\S+)", shown)[-1]
    (result,) = cli.json("results", batch)  # type: ignore[misc]
    blurriness = result["job_output"]["blurriness"]  # type: ignore[has-type]
    assert blurriness["sharpness"] > 0
    assert blurriness["is_blurred"] is False

    _say_something_to_the_step(cli, started, guide, photo)


def _say_something_to_the_step(
    cli: CommandLine, started: subprocess.Popen[str], guide: str, photo: Path
) -> None:
    """What the guide says of settings and parameters."""
    code = re.findall(r"```python\n(.+?)```", guide, re.DOTALL)[1]
    (cli.app / "steps" / "blurriness.py").write_text(code)
    assert started.stdout is not None
    assert "ready" in started.stdout.readline()
    commands = re.findall(r"^imaginem (submit .+)$", guide, re.MULTILINE)
    shown = cli(*commands[1].replace("photo.jpg", str(photo)).split())
    batch = re.findall(r"batch (\S+)", shown)[-1]
    (result,) = cli.json("results", batch)  # type: ignore[misc]
    assert result["job_output"]["blurriness"]["is_blurred"] is True  # type: ignore[has-type]
    steps = cli.json("steps")
    assert isinstance(steps, list)
    listed = {told["name"]: told for told in steps}
    assert listed["blurriness"]["settings"][0]["variable"] == "BLURRINESS_LIMIT"
    assert "parameter blurriness.limit (number, " in cli("steps")


def test_photos_are_submitted_watched_and_read(
    running: Running, sample: Sample, tmp_path: Path
) -> None:
    cli = running.cli
    folder = tmp_path / "photos"
    folder.mkdir()
    photos = ["a cup.png", "page.png"]
    (folder / "a cup.png").write_bytes(sample("coffee.png"))
    (folder / "page.png").write_bytes(sample("page.png"))
    (folder / "notes.txt").write_text("no photo")
    steps = "sample,ocr,pipelineoutput"
    submitted = cli.json("submit", str(folder), "--batch", "mine", "--pipeline", steps)
    cup, page = (made_id(name, photo_digest((folder / name).read_bytes())) for name in photos)
    assert isinstance(submitted, dict)
    assert (submitted["batch_id"], submitted["jobs"]) == ("mine", [cup, page])
    assert [photo["original_name"] for photo in submitted["photos"]] == photos
    assert "2/2 jobs ended: 2 succeeded" in cli("status", "mine", "--watch")

    status = cli.json("status", "mine")
    assert isinstance(status, dict)
    assert status["jobs"] == {cup: "succeeded", page: "succeeded"}
    assert status["steps"]["ocr"] == {"success": 2}
    job = cli.json("status", "mine", page)
    assert isinstance(job, dict)
    assert job["ocr"] == "step 1: success"
    assert "success" in cli("status", "mine", page)
    assert "Region-based segmentation" in cli("results", "mine")
    again = cli("submit", str(folder), "--batch", "mine", "--pipeline", steps)
    assert f"already there (succeeded), job {cup}" in again
    assert "0 jobs sent, 2 already in batch mine" in again
    assert "2 jobs sent in batch" in cli("submit", str(folder), "--batch", "mine", "--again")

    with urllib.request.urlopen(f"http://127.0.0.1:{running.port}/api/health") as answer:
        assert json.load(answer)["status"] == "ok"
    request = urllib.request.Request(
        f"http://127.0.0.1:{running.port}/api/health", headers={"Host": "evil.test"}
    )
    with pytest.raises(urllib.error.HTTPError, match="421"):
        urllib.request.urlopen(request)


def test_what_fails_is_shown_with_its_reason_and_exit_code(
    running: Running, tmp_path: Path
) -> None:
    cli = running.cli
    photo = tmp_path / "broken.jpg"
    photo.write_bytes(b"no photo")
    shown = cli("submit", str(photo), "--pipeline", "sample,pipelineoutput", "--wait", code=1)

    assert "broken.jpg-e812b8ca sample: the file is not a photo that can be read" in shown


def test_poison_is_listed_replayed_and_dropped(running: Running, tmp_path: Path) -> None:
    cli = running.cli
    (tmp_path / "bad.json").write_text("no json")
    cli("send", "ocr", str(tmp_path / "bad.json"))
    deadline = time.monotonic() + PATIENCE
    while not (listed := cli.json("poison", "list", "ocr")):
        assert time.monotonic() < deadline
    assert isinstance(listed, list)
    first = listed[0]["id"]
    assert "neither JSON" in listed[0]["reason"]
    shown = cli("poison", "list", "ocr")
    assert f"ocr.{first}" in shown.splitlines()  # whole, since replaying takes it
    assert listed[0]["reason"] in shown
    cli("poison", "replay", "ocr", first)
    while not (again := cli.json("poison", "list", "ocr")) or again[0]["id"] == first:  # type: ignore[index]
        assert time.monotonic() < deadline
    cli("poison", "drop", "ocr")
    assert cli.json("poison", "list", "ocr") == []
    assert "there is no such message" in cli("poison", "replay", "ocr", "x", code=1)


def test_steps_are_listed_and_resolved(cli: CommandLine) -> None:
    listed = cli.json("steps")
    assert isinstance(listed, list)
    (facecrop,) = (step for step in listed if step["name"] == "facecrop")
    assert facecrop["requires"] == ["facedetection"]
    assert facecrop["summary"].startswith("Cut each detected face out of the photo, upright")
    assert facecrop["group"] == 0
    assert [facecrop[name] for name in ("settings", "parameters", "weights")] == [[], [], []]
    assert "facedetection,faceprint,facematch,pipelineoutput" in cli(
        "resolve", "pipelineoutput", "facematch"
    )
    assert "did you mean facecrop?" in cli("resolve", "facedcrop", code=2)


def test_queues_are_filled_and_cleared(cli: CommandLine) -> None:
    cli("send", "outside", "-", stdin="one")
    cli("send", "outside", "-", stdin="two")
    assert "2 messages removed" in cli("clear", "outside", "--yes")
    assert "there is no queue nowhere" in cli("clear", "nowhere", "--yes", code=1)


def test_the_doctor_finds_what_is_well_and_what_is_not(cli: CommandLine) -> None:
    checks = cli.json("doctor")
    assert isinstance(checks, list)
    assert [check["check"] for check in checks if check["problem"]] == []
    assert [check["check"] for check in checks] == [
        "steps",
        "settings",
        "disk",
        "pipeline",
        "settings of steps",
        "weights of steps",
        "packages of steps",
        "storage (queues)",
        "storage (tables)",
        "storage (blobs)",
        "database",
        "home",
        "weights",
        "runtime of networks",
        "engine for vision",
        "engine for ocr",
        "engine for faces",
        "engine for prints",
        "engine for questions",
        "languages of text",
    ]

    (cli.app / ".imaginem" / "erased").touch()
    assert "`imaginem compact`" in cli("doctor")

    cli.environment["PIPELINE_DEFINITION"] = "ocr,facedcrop"
    cli.environment["IMAGINEM_ASSETS"] = str(cli.app / "none")
    report = cli("doctor", code=1)
    assert "facedcrop, which no step serves" in report
    assert "run `imaginem assets fetch`" in report

    cli.environment["VISION_ENGINE"] = "nonsense"
    assert "VISION_ENGINE is 'nonsense': give local" in cli("doctor", code=1)


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["submit", "/no/such/photo.jpg"], 3, "there is no file or folder"),
        (["submit", "https://x.test/a.jpg", "--pipeline", "OCR"], 2, "did you mean ocr?"),
        (["submit", "https://x.test/a.jpg", "--pipeline", "OCR", "--raw"], 1, "is no queue name"),
        (["status", "nothing"], 1, "there is no batch nothing"),
        (["results", "nothing"], 3, "nothing was ever processed in"),
        (["search", "Maria"], 3, "call this in the folder where `imaginem start` runs"),
        (["new-step", "Bad-Name"], 2, "can't be a step's name"),
        (["new-step", "lambda"], 2, "it is a word of Python"),
        (["new-step", "ocr"], 2, "exists already"),
        (["steps", "--app", "/"], 3, "there is no folder steps/"),
        (["start", "--app", "/"], 3, "host.json"),
        (["send", "ocr", "/no/such/file"], 3, "can't be read"),
    ],
)
def test_mistakes_are_reported_in_one_line(
    cli: CommandLine, arguments: list[str], code: int, text: str
) -> None:
    assert text in cli(*arguments, code=code)


def test_storage_that_does_not_answer_is_reported(cli: CommandLine) -> None:
    cli.environment |= own_storage()
    assert "is `imaginem start` running, with EMULATOR_PORT=" in cli("status", "x", code=4)


def test_a_port_in_use_is_reported(cli: CommandLine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"port {port} is in use" in cli("start", "--port", port, code=3)


def test_an_app_that_does_not_import_is_reported(cli: CommandLine) -> None:
    cli.environment |= own_storage()
    (cli.app / "steps" / "oops.py").write_text("import nothing_like_this\n")
    assert "nothing_like_this" in cli("start", "--port", str(free_port()), code=3)
    assert "steps can't be imported" in cli("steps", code=3)


def test_assets_verify_finds_a_changed_file(cli: CommandLine, tmp_path: Path) -> None:
    source = Path(os.environ.get("IMAGINEM_ASSETS", "~/.cache/imaginem")).expanduser()
    copy = tmp_path / "assets"
    copy.mkdir()
    for file in source.iterdir():
        if file.is_file() and file.suffix != ".lock":
            (copy / file.name).symlink_to(file)
    cli.environment["IMAGINEM_ASSETS"] = str(copy)
    assert "coffee.png: ok" in cli("assets", "verify")
    (damaged,) = copy.glob("coffee-*.png")
    damaged.unlink()
    damaged.write_bytes(b"x" * 466706)
    assert "coffee.png: not the pinned file" in cli("assets", "verify", code=1)


def test_photos_are_searched_by_face_exported_and_a_batch_is_cancelled(
    running: Running, sample: Sample, tmp_path: Path
) -> None:
    cli = running.cli
    for name in ("obama.jpg", "biden.jpg", "obama2.jpg", "page.png"):
        (tmp_path / name).write_bytes(sample(name))
    photos = [str(tmp_path / name) for name in ("obama.jpg", "biden.jpg")]
    cli("submit", *photos, "--batch", "faces", "--wait", "--timeout", "90")

    faces: Any = cli.json("faces", "search", str(tmp_path / "obama2.jpg"))
    (face,) = faces
    matches = [(match["job_id"], match["band"]) for match in face["matches"]]
    obama, biden = (
        made_id(name, photo_digest(sample(name))) for name in ("obama.jpg", "biden.jpg")
    )
    assert matches == [(obama, "match")]
    assert "obama.jpg" in cli("faces", "search", str(tmp_path / "obama2.jpg"))
    assert "no face" in cli("faces", "search", str(tmp_path / "page.png"))
    assert "can't be read" in cli("faces", "search", str(tmp_path / "none.jpg"), code=3)

    table = cli("export", "faces", "--csv")
    assert table.splitlines()[0].lstrip("\ufeff").startswith("batch_id,job_id,name")
    assert "obama.jpg" in table
    rows: Any = cli.json("export", "faces")
    assert [row["job_id"] for row in rows] == [biden, obama]
    assert "2 results" in cli("export", "faces", "--csv", "--to", str(tmp_path / "out.csv"))
    assert (tmp_path / "out.csv").read_text("utf-8-sig").startswith("batch_id")
    for command in ("export", "results"):
        assert "there is no batch none" in cli(command, "none", code=1)
    cli("export", "faces", "--csv", "--json", code=2)

    assert "is cancelled" in cli("cancel", "faces")
    assert "was cancelled" in cli("submit", *photos, "--batch", "faces", code=1)
    assert "takes photos again" in cli("cancel", "faces", "--undo")
    cli("submit", *photos, "--batch", "faces", "--wait", "--timeout", "90")
    assert "no batch" in cli("cancel", "none", code=1)
