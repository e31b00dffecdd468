"""A share of `make bench ARGS=accuracy`: answers stay the same whatever runs the networks."""

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.accuracy import compare
from benchmarks.answers import Answers, LocalPipeline, distance, overlap
from imaginem.assets import AssetStore
from imaginem.config.settings import read_settings
from imaginem.engines.local.models import RuntimeSetting
from imaginem.images.decoding import decode_photo

PHOTOS = ("grace_hopper.jpg", "motorcycle_left.png")  # a face and clothes; things and text


@pytest.fixture(scope="module")
def on_onnxruntime() -> list[Answers]:
    return answers("onnxruntime")


def answers(runtime: RuntimeSetting) -> list[Answers]:
    store = AssetStore(read_settings().assets)
    photos = [decode_photo(store.path(name).read_bytes()) for name in PHOTOS]
    return LocalPipeline(store, runtime).answers(photos)


def test_the_answers_of_two_photos_keep_the_bounds(on_onnxruntime: list[Answers]) -> None:
    results = compare(on_onnxruntime, answers("openvino"), "openvino")

    assert [result.name for result in results if not result.kept] == []
    assert any(found.faces for found in on_onnxruntime)
    assert any(found.text for found in on_onnxruntime)


def changed(found: Answers, **fields: Any) -> Answers:
    return Answers(**{**vars(found), **fields})


@pytest.mark.parametrize(
    ("change", "breaks"),
    [
        (lambda found: {"faces": [], "embeddings": [], "qualities": []}, "faces found by one"),
        (lambda found: {"embeddings": [-e for e in found.embeddings]}, "least cosine"),
        (lambda found: {"text": found.text + "?"}, "letters"),
        (lambda found: {"tags": dict(reversed(found.tags.items()))}, "first tag"),
        (lambda found: {"tags": {n: s + 0.1 for n, s in found.tags.items()}}, "change of a score"),
        (lambda found: {"adult": found.adult + 0.1}, "change of a score"),
        (lambda found: {"object_names": ["cat", "cat"]}, "objects found by one"),
        (lambda found: {"objects": [(0, 0, 1, 1) for _ in found.objects]}, "overlap"),
    ],
)
def test_an_answer_that_changed_breaks_its_bound(
    change: Callable[[Answers], dict[str, Any]], breaks: str, on_onnxruntime: list[Answers]
) -> None:
    after = [changed(found, **change(found)) for found in on_onnxruntime]

    broken = [r.name for r in compare(on_onnxruntime, after, "") if not r.kept]

    assert any(breaks in name for name in broken)


def test_distance_and_overlap_are_what_their_names_say() -> None:
    assert distance("kitten", "sitting") == 3
    assert distance("", "ab") == 2
    assert overlap((0, 0, 2, 1), (1, 0, 3, 1)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 1, 1), (5, 5, 6, 6)) == 0
