"""What the author of a step reads when its file is wrong: where, what, and how to mend it."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from imaginem.cli.shared import load_registry
from imaginem.errors import ConfigurationError
from imaginem.pipeline import steps as declaring
from imaginem.pipeline.import_faults import forgotten_steps
from imaginem.pipeline.steps import Registry

HEAD = """from imaginem import JobContext, StepOutput, Weights, classifier_step, step


"""
STEP = "def wrong(job: JobContext) -> StepOutput:\n    return StepOutput()\n"
GROUP = "def wrong(jobs: list[JobContext]) -> list[StepOutput]:\n    return []\n"
INIT = (Path(__file__).parents[2] / "steps" / "__init__.py").read_text("utf-8")


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An app whose steps nobody has imported yet, in place of this repository's."""
    known = {name: sys.modules.pop(name) for name in list(sys.modules) if _of_steps(name)}
    monkeypatch.setattr(sys, "path", [*sys.path])  # the command adds to it
    monkeypatch.setattr(declaring, "default_registry", Registry())
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "__init__.py").write_text(INIT, "utf-8")
    importlib.invalidate_caches()
    yield tmp_path
    for name in list(sys.modules):
        if _of_steps(name):
            del sys.modules[name]
    sys.modules.update(known)


def _of_steps(name: str) -> bool:
    return name == "steps" or name.startswith("steps.")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"@step\n{STEP}", "line 4: step 'wrong': write @step.. with parentheses"),
        (f"@step()\nasync {STEP}", "line 4: step 'wrong': write def instead of async def"),
        (f'@step(group=9, within="30 s")\n{GROUP}', "line 4: step 'wrong': within is '30 s': say"),
        (
            f'@step(requires=("ocr",))\n{STEP}',
            r"write requires=\(ocr,\), and .*`from steps.ocr imp",
        ),
        (f"import json\n@step(requires=json)\n{STEP}", r"write requires=\(json,\)"),
        (f'@step(requirements="numpy")\n{STEP}', r'write requirements=\("numpy",\)'),
        (
            f"@step(require=1)\n{STEP}",
            "line 4: TypeError: .* unexpected keyword argument 'require'",
        ),
        (
            f"@step()\n{STEP}@step()\n{STEP}",
            r"line 7: .* twice: rename one \(wrong.py has the other",
        ),
        ("from steps.no import no", "line 4: there is no steps/no.py: correct the import"),
        ("import imaginem.no", "this version of Imaginem has no imaginem.no"),
        ("import torch_that_is_not", "line 4: torch_that_is_not can't be imported: `pip install`"),
        ("@step()\ndef wrong(job) -> X:\n    pass", "line 5: NameError: name 'X' is not defined"),
        ("def wrong(job)\n    pass", "line 4: this is no Python: expected ':'"),
        (
            'Weights(url="https://a.org/n.onnx", sha256="12", licence="MIT")',
            "line 4: Weights: sha256: it must be 64 hexadecimal digits, as `sha256sum FILE` prints",
        ),
        (
            "wrong = classifier_step(__file__)",
            "line 4: step 'wrong': .*wrong.json .*: put the card",
        ),
    ],
)
def test_a_file_that_is_wrong_is_named_with_what_to_do(app: Path, text: str, told: str) -> None:
    (app / "steps" / "wrong.py").write_text(f"{HEAD}{text}\n", "utf-8")

    with pytest.raises(ConfigurationError, match=told) as refused:
        load_registry(app)

    said = str(refused.value)
    assert said.startswith("steps can't be imported: steps/wrong.py, line ")
    assert "\n" not in said


def test_a_function_that_nobody_has_made_a_step_is_told(app: Path) -> None:
    for name in ("forgotten", "wrong"):
        text = STEP.replace("wrong", name)
        head = HEAD if name == "forgotten" else f"{HEAD}@step()\n"
        (app / "steps" / f"{name}.py").write_text(f"{head}{text}", "utf-8")
    helper = "def size(picture: object) -> int:\n    return 1\n"
    (app / "steps" / "helping.py").write_text(helper, "utf-8")

    told = forgotten_steps(load_registry(app))

    assert told == ["steps/forgotten.py: forgotten is no step yet: write @step() above it"]
