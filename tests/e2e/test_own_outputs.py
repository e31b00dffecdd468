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
