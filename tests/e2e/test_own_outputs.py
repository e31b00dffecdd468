"""What steps of one's own find shows by itself: the steps of the guides, word by word."""

import csv
import io
import re
import shlex
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command_line import CommandLine
from tests.conftest import ROOT

GUIDE = (ROOT / "docs" / "add-a-step.md").read_text("utf-8")
SECTION = GUIDE.partition("## What a step finds shows by itself")[2].partition("\n## ")[0]
(CODE,) = re.findall(r"```python\n(.+?)```", SECTION, re.DOTALL)
_WITH_SETTINGS, _WITH_WEIGHTS, _OF_SEVERAL = (
    code
    for code in re.findall(r"```python\n(.+?)```", GUIDE, re.DOTALL)
    if any(word in code for word in ("StepSettings", "weights=", "group="))
)
MODELS = (ROOT / "docs" / "own-models.md").read_text("utf-8")
CARDS = re.findall(r"```json\n(.+?)```", MODELS, re.DOTALL)[:2]
COMMANDS = [shlex.split(line) for line in re.findall(r"^imaginem (.+)$", SECTION, re.MULTILINE)]


@pytest.fixture
def cli(cli: CommandLine, sample: Callable[[str], bytes]) -> CommandLine:
    """The command line of an app that has the guides' steps: one in code, two of model cards."""
    (cli.app / "steps" / "light.py").write_text(CODE, "utf-8")
    (cli.app / "page.png").write_bytes(sample("page.png"))
    for name, card in zip(("wayup", "layout"), CARDS, strict=True):
        (cli.app / f"{name}-card.json").write_text(card, "utf-8")
        cli(*f"new-step {name} --model {name}-card.json --photo page.png".split())
    return cli


def add_step(app: Path, code: str) -> None:
    """Save a step of the guide under the name that its first line says."""
    name = code.removeprefix('"""').partition(":")[0]
    (app / "steps" / f"{name}.py").write_text(code, "utf-8")


def read(address: str) -> str:
    """Return a page of the running app."""
    answer: bytes = urllib.request.urlopen(address).read()
    return answer.decode()


def test_the_guides_step_is_seen_on_page_command_line_csv_and_in_search(
    cli: CommandLine,
    started: subprocess.Popen[str],
    port: int,
    sample: Callable[[str], bytes],
    tmp_path: Path,
) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(sample("coffee.png"))
    submit, results, status, export, tagged, words, where = COMMANDS
    shown = cli(*(str(photo) if word == "photo.jpg" else word for word in submit))
    assert "1/1 jobs ended: 1 succeeded" in shown
    batch = re.findall(r"batch (\S+)", shown)[-1]
    (result,) = cli.json("results", batch)  # type: ignore[misc]
    job = result["id"]  # type: ignore[has-type]
    light = result["job_output"]["light"]  # type: ignore[has-type]
    assert not light["is_dark"]
    part, x = light["spots"][0]["part"], light["spots"][0]["where"]["x"]

    names = {"BATCH": batch, "JOB": job}
    for command in (results, status):
        told = cli(*(names.get(word, word) for word in command))
        for text in ("light", "Brightness", "of 255", "cheerful", part):
            assert text in told
    table = cli(*(names.get(word, word) for word in export)).lstrip("\ufeff")
    (row,) = csv.DictReader(io.StringIO(table))
    assert row["light.sentence"] == f"Light falls on the {part}"
    assert (row["light.is_dark"], row["light.moods"]) == ("false", "cheerful")
    assert row["light.spots"].startswith(f"{part}, 0.")
    for command in (tagged, words, where):
        assert job in cli(*command, "--batch", batch)
    assert "no photo fits" in cli("search", "--where", "light.is_dark=yes", code=1)
    assert "fields are light.sentence, light.brightness" in cli(
        "search", "--where", "light.x=1", code=1
    )

    at = f"http://127.0.0.1:{port}"
    page = read(f"{at}/photos/{batch}/{urllib.parse.quote(job)}")
    assert "<h2>light</h2>" in page
    assert "What somebody would say of the light." in page
    assert f'<rect data-box="own-light-1" x="{x}" y="0"' in page
    asked = urllib.parse.urlencode({"where": "light.brightness>=60 and light.is_dark=no"})
    assert job in read(f"{at}/api/images?{asked}")


def test_what_the_models_of_cards_find_is_seen_in_the_same_places(
    cli: CommandLine, started: subprocess.Popen[str], port: int
) -> None:
    pipeline = "wayup,layout,pipelineoutput"
    shown = cli("submit", "page.png", "--pipeline", pipeline, "--wait")
    batch = re.findall(r"batch (\S+)", shown)[-1]
    (result,) = cli.json("results", batch)  # type: ignore[misc]
    job = result["id"]  # type: ignore[has-type]

    for command in (("results", batch), ("status", batch, job)):
        told = cli(*command)
        assert "upright, 0.92" in told
        assert "text, 0.91" in told
    (row,) = csv.DictReader(io.StringIO(cli("export", batch, "--csv").lstrip("\ufeff")))
    assert row["wayup.tags"].startswith("upright, 0.9")
    assert row["layout.objects"].startswith("text, 0.9")
    assert "4, 51, 374, 85" in row["layout.objects"]
    for asked in (
        ("--tag", "upright"),
        ("--tag", "title"),
        ("--where", "layout.objects.confidence>0.9 and wayup.tags.name=upright"),
    ):
        assert job in cli("search", *asked, "--batch", batch)

    page = read(f"http://127.0.0.1:{port}/photos/{batch}/{urllib.parse.quote(job)}")
    assert '<rect data-box="own-layout-1" x="4" y="51" width="374" height="85">' in page
    assert 'href="/photos?tag=upright"' in page
    assert "<h2>wayup</h2>" in page


@pytest.fixture
def photos(tmp_path: Path, sample: Callable[[str], bytes]) -> Path:
    """A folder with two photos."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("coffee.png", "chelsea.png"):
        (folder / name).write_bytes(sample(name))
    return folder


@pytest.fixture
def with_weights(cli: CommandLine) -> None:
    """Give the app the guide's step that has weights, and the one over several photos."""
    for code in (_WITH_WEIGHTS, _OF_SEVERAL):
        add_step(cli.app, code)
    cli("assets", "fetch", "--only-steps")


@pytest.fixture
def with_settings(cli: CommandLine) -> None:
    """Give the app the guide's step that has settings and parameters."""
    add_step(cli.app, _WITH_SETTINGS)


@pytest.mark.usefixtures("with_weights")
def test_what_a_step_over_several_photos_and_one_with_weights_find_is_seen_there_too(
    cli: CommandLine, request: pytest.FixtureRequest, port: int, photos: Path
) -> None:
    request.getfixturevalue("started")  # with the steps
    pipeline = "sharpest,blurriness,pipelineoutput"
    shown = cli("submit", str(photos), "--pipeline", pipeline, "--wait")
    assert "2/2 jobs ended: 2 succeeded" in shown
    batch = re.findall(r"batch (\S+)", shown)[-1]
    found = cli.json("results", batch)
    places = {one["job_output"]["sharpest"]["place"]: one["id"] for one in found}  # type: ignore[attr-defined]
    assert set(places) == {1, 2}
    first = places[1]

    told = cli("results", batch)
    for text in ("sharpest", "Compared", "blurriness", "Upright"):
        assert text in told
    assert "Compared" in cli("status", batch, first)
    rows = list(csv.DictReader(io.StringIO(cli("export", batch, "--csv").lstrip("\ufeff"))))
    assert sorted((row["sharpest.place"], row["sharpest.compared"]) for row in rows) == [
        ("1", "2"),
        ("2", "2"),
    ]
    assert all(float(row["blurriness.upright"]) > 0 for row in rows)
    asked = ("--where", "sharpest.place=1 and blurriness.sharpness>0")
    hits = cli("search", *asked, "--batch", batch)
    assert first in hits
    assert places[2] not in hits
    page = read(f"http://127.0.0.1:{port}/photos/{batch}/{urllib.parse.quote(first)}")
    assert "<h2>sharpest</h2>" in page
    assert "<h2>blurriness</h2>" in page


@pytest.mark.usefixtures("with_settings")
def test_what_a_step_with_settings_and_parameters_finds_is_seen_there_too(
    cli: CommandLine, request: pytest.FixtureRequest, port: int, photos: Path
) -> None:
    request.getfixturevalue("started")  # with the step
    pipeline = ("--pipeline", "blurriness,pipelineoutput")
    told = ("--set", "blurriness.limit=100000")
    shown = cli("submit", str(photos / "coffee.png"), *pipeline, *told, "--wait")
    batch = re.findall(r"batch (\S+)", shown)[-1]
    (result,) = cli.json("results", batch)  # type: ignore[misc]
    job = result["id"]  # type: ignore[has-type]
    assert result["job_output"]["blurriness"]["is_blurred"]  # type: ignore[has-type]

    for command in (("results", batch), ("status", batch, job)):
        assert "Is blurred" in cli(*command)
    (row,) = csv.DictReader(io.StringIO(cli("export", batch, "--csv").lstrip("\ufeff")))
    assert row["blurriness.is_blurred"] == "true"
    assert job in cli("search", "--where", "blurriness.is_blurred=yes", "--batch", batch)
    page = read(f"http://127.0.0.1:{port}/photos/{batch}/{urllib.parse.quote(job)}")
    assert "<h2>blurriness</h2>" in page
