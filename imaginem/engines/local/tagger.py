"""Tags by EfficientNet-Lite0 (Tan & Le 2019), trained on ImageNet's 1,000 classes."""

from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic_core import from_json

from imaginem.assets import AssetStore
from imaginem.engines.local.models import RuntimeSetting, shared_model
from imaginem.outputs import Category

Array = NDArray[Any]

_SIDE = 224
_CATEGORY_SHARE = 0.2

# ImageNet's classes are ordered as in WordNet, so a family of animals is a range of indices.
# Monkeys and apes are left out: people are mistaken for them.
FAMILIES: tuple[tuple[str, int, int], ...] = (
    ("fish", 0, 6),
    ("bird", 7, 24),
    ("bird", 80, 100),
    ("bird", 127, 146),
    ("lizard", 38, 48),
    ("snake", 52, 68),
    ("spider", 72, 77),
    ("dog", 151, 268),
    ("cat", 281, 285),
    ("bear", 294, 297),
    ("insect", 300, 326),
)
# Azure Vision's categories ("Image categorization", the 86-category taxonomy).
_CATEGORIES: tuple[tuple[str, int, int], ...] = (
    ("animal_dog", 151, 268),
    ("animal_cat", 281, 285),
    ("animal_panda", 388, 388),
    ("animal_horse", 339, 340),
    ("animal_", 0, 397),
    ("food_fresh", 936, 957),
    ("food_", 924, 935),
    ("food_", 958, 969),
    ("drink_", 967, 969),
    ("outdoor_mountain", 970, 970),
    ("outdoor_mountain", 972, 972),
    ("outdoor_mountain", 979, 980),
    ("outdoor_oceanbeach", 973, 978),
    ("plant_flower", 984, 989),
    ("plant_", 990, 998),
)
_CATEGORY_BY_WORD = {
    "building_church": ("church", "bell cote", "monastery", "mosque", "stupa"),
    "building_": ("palace", "castle", "barn", "boathouse", "library", "planetarium", "prison"),
    "trans_car": ("cab", "convertible", "jeep", "limousine", "minivan", "racer", "sports car"),
    "trans_bus": ("minibus", "school bus", "trolleybus"),
    "trans_bicycle": ("mountain bike", "bicycle-built-for-two", "tricycle"),
    "trans_trainstation": ("bullet train", "electric locomotive", "steam locomotive"),
    "sky_object": ("missile", "projectile", "airship", "airliner", "parachute", "balloon"),
    "text_menu": ("menu",),
    "text_": ("crossword puzzle", "book jacket", "comic book", "web site"),
    "drink_": ("espresso", "coffee mug", "beer glass", "red wine", "cup", "teapot"),
    "outdoor_waterside": ("lakeside", "dock", "pier", "seashore"),
}


class Tagger:
    """Says what the middle of a photo shows.

    Args:
        store: has the weights.
        runtime: the setting LOCAL_RUNTIME.
    """

    def __init__(self, store: AssetStore, runtime: RuntimeSetting = "auto") -> None:
        self._model = shared_model(store, "efficientnet-lite0.onnx", runtime)
        self._label_file: Path = store.path("imagenet-labels.json")

    @cached_property
    def labels(self) -> list[str]:
        """The 1,000 classes; one with several names by its first."""
        raw: dict[str, str] = from_json(self._label_file.read_bytes())
        return [raw[str(index)].split(",")[0] for index in range(len(raw))]

    @cached_property
    def _classes_of_categories(self) -> list[tuple[str, Array]]:
        """The classes of each category; a class counts for the first that names it."""
        classes: list[tuple[str, Array]] = []
        counted = np.zeros(len(self.labels), bool)
        for name, first, last in _CATEGORIES:
            part = np.zeros(len(self.labels), bool)
            part[first : last + 1] = True
            classes.append((name, np.flatnonzero(part & ~counted)))
            counted |= part
        for name, words in _CATEGORY_BY_WORD.items():
            named = np.array([label in words for label in self.labels])
            classes.append((name, np.flatnonzero(named & ~counted)))
        return classes

    def probabilities(self, rgb: Array) -> Array:
        """Return the probabilities of the 1,000 classes, for the photo's central square."""
        height, width = rgb.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        square = rgb[top : top + side, left : left + side]
        method = cv2.INTER_AREA if side > _SIDE else cv2.INTER_LINEAR
        small = cv2.resize(square, (_SIDE, _SIDE), interpolation=method).astype(np.float32)
        batch = np.ascontiguousarray(((small - 127) / 128).transpose(2, 0, 1)[None])
        probabilities: Array = self._model.run({"input": batch}, "probs")[0][0]
        return probabilities

    def categories(self, probabilities: Array) -> list[Category]:
        """Return those of Azure's categories that hold a fifth of the probability or more."""
        shares: dict[str, float] = {}
        for name, classes in self._classes_of_categories:
            shares[name] = shares.get(name, 0.0) + float(probabilities[classes].sum())
        kept = sorted(((s, n) for n, s in shares.items() if s >= _CATEGORY_SHARE), reverse=True)
        return [Category(name=name, score=round(min(share, 1.0), 4)) for share, name in kept]


def families(probabilities: Array) -> dict[str, float]:
    """Return the probability of each family of animals: the sum of its classes."""
    shares: dict[str, float] = {}
    for name, first, last in FAMILIES:
        shares[name] = shares.get(name, 0.0) + float(probabilities[first : last + 1].sum())
    return shares
