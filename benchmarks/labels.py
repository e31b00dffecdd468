"""How many of the tags are right, and how many words that help are there.

A person looked at each sample photo and at its variants, and wrote down every word that is right
for it and the words that help tracing: `data/labelled_photos.json`. It holds no photo.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageFilter
from pydantic_core import from_json

from benchmarks.result import Result
from imaginem.assets import AssetStore
from imaginem.config.settings import read_settings
from imaginem.engines.dignity import is_refused
from imaginem.engines.local.vision import LocalVision
from imaginem.images.decoding import decode_photo
from imaginem.ports import CallContext

LEAST_PRECISION = 0.9
_TABLE = Path(__file__).parent / "data" / "labelled_photos.json"
_CALL = CallContext.without_job("label benchmark")
_CROPS = {
    "left": (0.0, 0.0, 0.6, 1.0),
    "right": (0.4, 0.0, 1.0, 1.0),
    "top": (0.0, 0.0, 1.0, 0.6),
    "bottom": (0.0, 0.4, 1.0, 1.0),
    "middle": (0.2, 0.2, 0.8, 0.8),
}
"""Left, top, right and bottom of each part, as shares of the photo's sides."""


@dataclass(frozen=True)
class Judged:
    """The tags of one variant of a photo.

    Attributes:
        told: all tags.
        right: those that are right.
        useful: words that help and are right for the variant.
        found: those of `useful` that were told.
    """

    told: list[str]
    right: list[str]
    useful: set[str]
    found: set[str]


def labelled_photos() -> dict[str, Any]:
    """Return the table: a row for each sample photo, by name."""
    table: dict[str, Any] = from_json(_TABLE.read_bytes())
    return table


def run() -> list[Result]:
    """Return precision and recall over whole photos and over all variants."""
    store = AssetStore(read_settings().assets)
    engine = LocalVision(store)
    judged: dict[str, list[Judged]] = {"whole photos": [], "all variants": []}
    for name, row in labelled_photos().items():
        with Image.open(store.path(name)) as opened:
            whole = opened.convert("RGB")
        for variant, picture in variants(whole):
            one = judge(row, variant, _tags(engine, picture))
            judged["all variants"].append(one)
            if variant == "whole":
                judged["whole photos"].append(one)
    return [result for title, some in judged.items() for result in _results(title, some)]


def variants(whole: Image.Image) -> Iterator[tuple[str, Image.Image]]:
    """Yield a photo, parts of it, and the whole in grey, turned to the left, and blurred."""
    yield "whole", whole
    for name, (left, top, right, bottom) in _CROPS.items():
        w, h = whole.size
        yield name, whole.crop((int(left * w), int(top * h), int(right * w), int(bottom * h)))
    yield "grey", whole.convert("L").convert("RGB")
    yield "turned", whole.rotate(90, expand=True)
    yield "blurred", whole.filter(ImageFilter.GaussianBlur(max(whole.size) / 150))


def judge(row: dict[str, Any], variant: str, told: list[str]) -> Judged:
    """Return which tags are right.

    Args:
        row: of the table. `right` and `useful` hold for all variants, but for words that `not_in`
            names for this one.
        variant: name of the variant.
        told: the tags.
    """
    hidden = set(row.get("not_in", {}).get(variant, ()))
    right, useful = set(row["right"]) - hidden, set(row["useful"]) - hidden
    return Judged(told, [tag for tag in told if tag in right], useful, useful & set(told))


def _tags(engine: LocalVision, picture: Image.Image) -> list[str]:
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    analysis = engine.analyze(decode_photo(file.getvalue()), _CALL)
    return [tag.name for tag in analysis.tags]


def _results(title: str, some: list[Judged]) -> list[Result]:
    told = [tag for one in some for tag in one.told]
    right = sum(len(one.right) for one in some)
    found, useful = sum(len(one.found) for one in some), sum(len(one.useful) for one in some)
    refused = sum(map(is_refused, told))
    precision = right / max(len(told), 1)
    return [
        Result(
            f"tags that are right, {title} ({len(some)})",
            precision,
            f"{right} of {len(told)}",
            f">= {LEAST_PRECISION:.0%}",
            precision >= LEAST_PRECISION,
        ),
        Result(
            f"words that help and are there, {title}",
            found / max(useful, 1),
            f"{found} of {useful}",
        ),
        Result(
            f"words for bodies and underwear, {title}", refused, str(refused), "0", refused == 0
        ),
    ]
