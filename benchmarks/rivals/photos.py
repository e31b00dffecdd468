"""The same photos with what people use now: how many a second, and how many answers are right.

Each process has one core, and times itself once its models are loaded.
"""

import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from benchmarks.bare_loop import PHOTOS
from benchmarks.options import Options, read_options
from benchmarks.result import Result, missing
from benchmarks.rivals.environment import Missing, last_json, run_script
from benchmarks.samples import GROUPS, NO_FACES, ONE_PERSON, OTHERS, PAGE, SIGNS
from imaginem.assets import AssetStore
from imaginem.config.settings import read_settings

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1", "OPENBLAS_NUM_THREADS": "1"}
_OURS = "Imaginem"
_TILT = 4  # degrees
_DEEPFACE = (
    "it downloads its weights from GitHub at the first call, and no package of PyPI has them"
)


def run(options: Options | None = None) -> list[Result]:
    """Return a row for each way to read texts, and to find and compare faces."""
    options = options or read_options()
    with tempfile.TemporaryDirectory() as name:
        task = Path(name) / "task.json"
        task.write_text(json.dumps(_task(Path(name))), "utf-8")
        rows = []
        for kind, systems in _systems(task).items():
            taken, reasons = _in_rounds(systems, options.rounds)
            rows += [_row(kind, label, figures) for label, figures in taken.items()]
            rows += [missing(f"{kind}: {label}", reason) for label, reason in reasons.items()]
    return [*rows, missing("faces: deepface", _DEEPFACE)]


def _systems(task: Path) -> dict[str, dict[str, Callable[[], Any]]]:
    def ours(kind: str) -> Callable[[], Any]:
        command = [sys.executable, "-m", "benchmarks.rivals.ours", kind, str(task)]
        return partial(last_json, command, _ONE_THREAD)

    def rival(name: str) -> Callable[[], Any]:
        return partial(run_script, "photo_rival", name, str(task), environment=_ONE_THREAD)

    return {
        "texts": {
            _OURS: ours("text"),
            "rapidocr": rival("rapidocr"),
            "Tesseract": rival("tesseract"),
        },
        "faces": {_OURS: ours("faces"), "face_recognition": rival("face_recognition")},
    }


def _in_rounds(
    systems: dict[str, Callable[[], Any]], rounds: int
) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    """Return the figures of each system, its speed a median, and why others are missing."""
    taken: dict[str, list[dict[str, float]]] = {}
    reasons: dict[str, str] = {}
    for _ in range(rounds):
        for label, look in systems.items():
            if label in reasons:
                continue
            try:
                taken.setdefault(label, []).append(look())
            except Missing as reason:
                if label == _OURS:
                    raise
                reasons[label] = str(reason)
    return {
        label: {
            **figures[-1],
            "images_a_second": statistics.median(one["images_a_second"] for one in figures),
        }
        for label, figures in taken.items()
        if figures
    }, reasons


def _task(folder: Path) -> dict[str, Any]:
    store = AssetStore(read_settings().assets)

    def path(name: str) -> str:
        return str(store.path(name))

    signs = {str(_with_sign(store, name, folder)): text for name, text in SIGNS.items()}
    return {
        "photos": [path(name) for name in PHOTOS],
        "groups": {path(name): count for name, count in GROUPS.items()},
        "none": [path(name) for name in NO_FACES],
        "persons": [
            *((path(name), "one") for name in ONE_PERSON),
            *((path(name), name) for name in OTHERS),
        ],
        "texts": {path("page.png"): PAGE, **signs},
    }


def _with_sign(store: AssetStore, name: str, folder: Path) -> Path:
    """Write a sign into a photo, a little tilted, and return the new photo's path."""
    photo = Image.open(store.path(name)).convert("RGB").resize((1024, 768))
    font = ImageFont.load_default(44)
    left, top, right, bottom = font.getbbox(SIGNS[name])
    sign = Image.new("RGB", (int(right - left) + 60, int(bottom - top) + 50), "white")
    ImageDraw.Draw(sign).text((30, 20), SIGNS[name], "black", font)
    mask = Image.new("L", sign.size, 255).rotate(_TILT, expand=True)
    photo.paste(sign.rotate(_TILT, expand=True, resample=Image.Resampling.BICUBIC), (60, 250), mask)
    target = folder / f"sign-{Path(name).stem}.jpg"
    photo.save(target, "JPEG", quality=90)
    return target


def _row(kind: str, label: str, figures: dict[str, float]) -> Result:
    speed = figures["images_a_second"]
    shown = f"{speed:.2f} images/s; " + ("; ".join(_answers(figures)))
    name, key = f"{kind}, one core: {label}", f"rivals {kind}"
    return Result(name, speed, shown, key=key, label=label, more=figures)


def _answers(figures: dict[str, float]) -> list[str]:
    answers = []
    if "words" in figures:
        right, of, beside = (figures[n] for n in ("words_right", "words", "words_beside"))
        answers.append(f"{right:.0f} of {of:.0f} words right, {beside:.0f} others")
    if "faces" in figures:
        found, of, beside = (figures[n] for n in ("faces_found", "faces", "faces_beside"))
        answers.append(f"{found:.0f} of {of:.0f} faces found, {beside:.0f} others")
        answers.append(f"{figures['pairs_right']:.0f} of {figures['pairs']:.0f} pairs right")
    return answers
