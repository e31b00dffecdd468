"""What docs/add-a-step.md says of a step's output, word by word: it shows by itself."""

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
COMMANDS = [shlex.split(line) for line in re.findall(r"^imaginem (.+)$", SECTION, re.MULTILINE)]


@pytest.fixture
def cli(cli: CommandLine) -> CommandLine:
    """The command line of an app that has the guide's step."""
    (cli.app / "steps" / "light.py").write_text(CODE, "utf-8")
    return cli


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
    assert "fields are light.brightness" in cli("search", "--where", "light.x=1", code=1)

    at = f"http://127.0.0.1:{port}"
    page = urllib.request.urlopen(f"{at}/photos/{batch}/{urllib.parse.quote(job)}").read().decode()
    assert "<h2>light</h2>" in page
    assert "What somebody would say of the light." in page
    assert f'<rect data-box="own-light-1" x="{x}" y="0"' in page
    asked = urllib.parse.urlencode({"where": "light.brightness>=60 and light.is_dark=no"})
    found = urllib.request.urlopen(f"{at}/api/images?{asked}").read().decode()
    assert job in found
