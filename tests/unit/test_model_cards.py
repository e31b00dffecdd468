"""Model cards: what may stand in one, and what is told where something is wrong."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imaginem.assets import AssetStore
from imaginem.cli.model_steps import licence_note, photo_to_try
from imaginem.errors import ConfigurationError, RegistrationError
from imaginem.outputs import Box, ModelObject, ModelObjects, ModelTag, ModelTags
from imaginem.pipeline.card_steps import classifier_step, detector_step
from imaginem.pipeline.steps import Registry
from imaginem.ports.card_reading import read_card
from imaginem.ports.model_card import ClassifierCard
from imaginem.testing import MemoryModels, MemoryServices, job_for, photo_bytes

SHA256 = "ab" * 32
CLASSIFIER: dict[str, Any] = {
    "name": "Tents",
    "version": "3",
    "licence": "MIT",
    "kind": "classifier",
    "model": {"url": "https://example.org/tents.onnx", "sha256": SHA256},
    "labels": ["tent", "house"],
    "input": {"width": 224, "height": 224},
}
DETECTOR = {**CLASSIFIER, "kind": "detector", "output": {"kind": "rows"}}


def card_file(folder: Path, card: object, name: str = "tents.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(card), "utf-8")
    return path


def test_what_a_card_leaves_out_is_what_most_models_want(tmp_path: Path) -> None:
    card = read_card(card_file(tmp_path, CLASSIFIER))

    assert isinstance(card, ClassifierCard)
    assert (card.input.divisor, card.input.mean, card.input.std) == (255, [0], [1])
    assert (card.input.layout, card.input.colours, card.input.resize) == ("NCHW", "RGB", "stretch")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"licence": None}, "licence: it is missing: under which the weights may be used"),
        ({"kind": None}, "the field kind is missing: classifier or detector"),
        ({"kind": "segmenter"}, "the field kind must be classifier or detector"),
        ({"treshold": 0.5}, "treshold: there is no such field: did you mean threshold?"),
        ({"threshold": 5}, "threshold: input should be less than or equal to 1"),
        ({"labels": {"metadat": "names"}}, "labels.metadat: there is no such field: did you mean"),
        ({"labels": [1]}, "labels.0: input should be a valid string"),
        ({"input": {"width": 224}}, "input.height: it is missing: height that the network takes"),
        (
            {"input": {"width": 9, "height": 9, "mean": [1, 2]}},
            "input: mean has 2 numbers: give one, or one for each of the 3 channels",
        ),
        ({"input": {"width": 9, "height": 9, "std": [0]}}, "input: std must not be 0"),
        ({"model": {"url": "https://example.org/a"}}, "model.sha256: it is missing: sha256 of"),
        ({"model": {"url": "a", "sha256": "12"}}, "model.sha256: it must be 64 hexadecimal digits"),
        ({"model": {"url": "http://example.org/a", "sha256": SHA256}}, "url must begin with https"),
        (
            {"model": {"url": "https://example.org/a?sig=hunter2", "sha256": SHA256}},
            "model: url has a secret in it",
        ),
        (
            {"model": {"url": "https://example.org/a", "file": "a", "sha256": SHA256}},
            "model: give one of file, url, blob and package; there are file and url",
        ),
        (
            {"model": {"package": "pypi:tents==3", "sha256": SHA256}},
            "model: a package needs `member`, the file's path in it, and `archive_sha256`",
        ),
        (
            {
                "model": {
                    "package": "tents",
                    "member": "a",
                    "archive_sha256": SHA256,
                    "sha256": SHA256,
                }
            },
            "model: package must be like pypi:name==1.2 or npm:name==1.2",
        ),
    ],
)
def test_what_is_wrong_is_named_with_what_belongs_there(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    card = {name: value for name, value in {**CLASSIFIER, **change}.items() if value is not None}

    with pytest.raises(ConfigurationError) as refused:
        read_card(card_file(tmp_path, card))

    assert told in str(refused.value)
    assert str(refused.value).startswith("tents.json: ")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"output": {}}, "output: the field kind is missing: boxes, rows, yolo or picodet"),
        ({"output": None}, "output: it is missing: how the network's answer is read"),
        ({"output": {"kind": "boxes"}}, "output.boxes: it is missing: name of the output with n"),
        (
            {"output": {"kind": "picodet", "scores": ["a"], "boxes": ["b"], "strides": [8, 16]}},
            r"output: scores (1), boxes (1) and strides (2) must be as many",
        ),
        (
            {"output": {"kind": "picodet", "scores": ["a"], "boxes": ["b"], "strides": [0]}},
            "strides.0: input should be greater than 0",
        ),
        (
            {"input": {"width": 9, "height": 9, "resize": "crop"}},
            "a detector would not see the photo's edges: use stretch or letterbox",
        ),
    ],
)
def test_so_is_it_in_a_detectors_card(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    card = {name: value for name, value in {**DETECTOR, **change}.items() if value is not None}

    with pytest.raises(ConfigurationError) as refused:
        read_card(card_file(tmp_path, card))

    assert told in str(refused.value)


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"licence: .*; most: .*"):
        read_card(card_file(tmp_path, {**CLASSIFIER, "licence": "", "most": 0}))


@pytest.mark.parametrize(
    ("licence", "is_noted"),
    [
        ("AGPL-3.0", True),
        ("GPL-3.0-or-later", True),
        ("CC-BY-NC-4.0", True),
        ("non-commercial research only", True),
        ("unknown", True),
        ("Apache-2.0", False),
        ("BSD-3-Clause", False),
        ("CC BY 4.0", False),
    ],
)
def test_a_licence_that_may_forbid_a_use_is_noted(licence: str, is_noted: bool) -> None:
    assert bool(licence_note(licence)) == is_noted


def test_a_file_is_looked_for_beside_the_card(tmp_path: Path) -> None:
    model = {"file": "tents.onnx", "sha256": SHA256}

    card = read_card(card_file(tmp_path, {**CLASSIFIER, "model": model}))

    assert card.model.file == str(tmp_path / "tents.onnx")


class TestSteps:
    def test_a_classifiers_step_returns_its_tags_with_the_model_and_its_version(
        self, tmp_path: Path
    ) -> None:
        card_file(tmp_path, {**CLASSIFIER, "threshold": 0.6})
        tents = classifier_step(str(tmp_path / "tents.py"), registry=Registry())
        found = [ModelTag(name="tent", confidence=0.9)]
        services = MemoryServices(models=MemoryModels(tags_found={"tents": found}))

        assert tents(job_for(services=services)) == ModelTags(
            tags=found, model="Tents", model_version="3", threshold=0.6
        )

    def test_a_detectors_step_returns_things_with_their_boxes(self, tmp_path: Path) -> None:
        card_file(tmp_path, DETECTOR)
        tents = detector_step(str(tmp_path / "tents.py"), registry=Registry())
        box = Box(x=1, y=2, w=3, h=4)
        found = [ModelObject(name="tent", confidence=0.9, rectangle=box)]
        services = MemoryServices(models=MemoryModels(objects_found={"tents": found}))

        assert tents(job_for(services=services)) == ModelObjects(
            objects=found, model="Tents", model_version="3", threshold=0.4
        )

    def test_what_is_on_a_later_page_says_so(self, tmp_path: Path) -> None:
        card_file(tmp_path, CLASSIFIER)
        tents = classifier_step(str(tmp_path / "tents.py"), registry=Registry())
        found = [ModelTag(name="tent", confidence=0.9)]
        services = MemoryServices(models=MemoryModels(tags_found={"tents": found}))
        file = io.BytesIO()
        first, second = (Image.new("RGB", (8, 8), color) for color in ("red", "blue"))
        first.save(file, "TIFF", save_all=True, append_images=[second])

        output = tents(job_for(file.getvalue(), services=services))

        assert ([tag.page for tag in output.tags], output.pages) == ([1, 2], 2)

    def test_a_step_declares_its_files_with_the_cards_licence_and_its_packages(
        self, tmp_path: Path
    ) -> None:
        labels = {"url": "https://example.org/names.txt", "sha256": "cd" * 32}
        card_file(tmp_path, {**CLASSIFIER, "labels": labels})
        registry = Registry()

        classifier_step(str(tmp_path / "tents.py"), alone=True, registry=registry)

        (step,) = registry
        assert [(each.sha256[:2], each.licence) for each in step.weights] == [
            ("ab", "MIT"),
            ("cd", "MIT"),
        ]
        assert registry.requirements() == [("tents", "numpy"), ("tents", "onnxruntime")]
        assert step.alone

    def test_a_step_with_the_card_of_another_kind_is_refused_at_the_start(
        self, tmp_path: Path
    ) -> None:
        card_file(tmp_path, DETECTOR)
        with pytest.raises(RegistrationError, match=r"card of a detector: use detector_step in"):
            classifier_step(str(tmp_path / "tents.py"), registry=Registry())

    def test_a_step_whose_card_is_missing_says_which(self, tmp_path: Path) -> None:
        with pytest.raises(
            RegistrationError, match=r"'tents': .*tents.json can't be read: No such"
        ):
            classifier_step(str(tmp_path / "tents.py"), registry=Registry())


def test_a_model_is_tried_on_a_photo_of_ones_own_or_on_a_sample_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = AssetStore(tmp_path / "assets")

    assert photo_to_try(store, None)[1] == "a plain picture"
    with pytest.raises(ConfigurationError, match=r"page.png is missing: run `imaginem assets f"):
        photo_to_try(store, Path("page.png"))
    with pytest.raises(ConfigurationError, match=r"--photo: there is no file pgae.png: give the"):
        photo_to_try(store, Path("pgae.png"))

    (tmp_path / "page.png").write_bytes(photo_bytes(8, 6))
    photo, name = photo_to_try(store, Path("page.png"))
    assert (photo.width, photo.height, name) == (8, 6, "page.png")
