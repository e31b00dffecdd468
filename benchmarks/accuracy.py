"""Whether the answers stay the same: every network on onnxruntime in f32, against the choices.

Exits with 1 if a bound is broken. Where this machine's processor has no bf16, networks that would
run in bf16 elsewhere are imitated: what goes into each convolution and matrix product is rounded.
"""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.answers import Answers, LocalPipeline, distance, overlap, tiers
from benchmarks.imitated_bf16 import imitating_store
from benchmarks.result import Result
from imaginem.assets import AssetStore
from imaginem.config.settings import read_settings
from imaginem.engines.local.runtimes import on_openvino
from imaginem.engines.local.runtimes.choices import HAVE_BF16, NETWORKS
from imaginem.engines.local.words import LEAST_SHARES
from imaginem.images.decoding import decode_photo

LEAST_COSINE = 0.999
"""Of two embeddings of the same face: a match's thresholds lie 0.08 apart."""
LEAST_OVERLAP = 0.9
"""Of the boxes of a face or an object, as a share of their union; a small box has few pixels."""
MOST_SCORE = 0.02
"""That the score of a tag, an object or adult content may change by."""
MOST_LETTERS = 0.005
"""Share of letters that may be read otherwise."""

_SAME_FACE = 0.5  # overlap from which two boxes are of one face


@dataclass(frozen=True)
class Bound:
    """One line of the table.

    Attributes:
        name: what is compared.
        measure: returns the worst value over all photos, and how many values there were.
        limit: the worst that is allowed.
        at_least: whether the limit is the least value; else it is the most.
    """

    name: str
    measure: Callable[[Sequence[Answers], Sequence[Answers]], tuple[float, int]]
    limit: float
    at_least: bool = False

    def result(self, before: Sequence[Answers], after: Sequence[Answers], title: str) -> Result:
        """Return the comparison of two runs over the same photos."""
        value, count = self.measure(before, after)
        kept = value >= self.limit if self.at_least else value <= self.limit
        sign = ">=" if self.at_least else "<="
        shown = f"{value:.4g} in {count}"
        return Result(f"{title}: {self.name}", value, shown, f"{sign} {self.limit:g}", kept)


def _worst(values: Iterable[float], best: float, pick: Callable[..., float]) -> tuple[float, int]:
    found = list(values)
    return pick(found, default=best), len(found)


def _faces_lost(before: Sequence[Answers], after: Sequence[Answers]) -> tuple[float, int]:
    lost = [abs(len(a.faces) - len(b.faces)) for a, b in zip(before, after, strict=True)]
    return sum(lost), sum(len(answers.faces) for answers in before)


def _objects_lost(before: Sequence[Answers], after: Sequence[Answers]) -> tuple[float, int]:
    lost = [
        len({*a.object_names} ^ {*b.object_names}) + abs(len(a.objects) - len(b.objects))
        for a, b in zip(before, after, strict=True)
    ]
    return sum(lost), sum(len(answers.objects) for answers in before)


def _boxes(before: Sequence[Answers], after: Sequence[Answers]) -> tuple[float, int]:
    values = []
    for a, b in zip(before, after, strict=True):
        for boxes, others in ((a.faces, b.faces), (a.objects, b.objects)):
            values += [max((overlap(box, other) for other in others), default=0) for box in boxes]
    return _worst(values, 1, min)


def _cosines(before: Sequence[Answers], after: Sequence[Answers]) -> tuple[float, int]:
    values = []
    for a, b in zip(before, after, strict=True):
        for box, embedding in zip(a.faces, a.embeddings, strict=True):
            same = [
                float(embedding @ other)
                for other, place in zip(b.embeddings, b.faces, strict=True)
                if overlap(box, place) > _SAME_FACE
            ]
            values.append(max(same, default=0.0))
    return _worst(values, 1, min)


def _pairs(before: Sequence[Answers], after: Sequence[Answers]) -> tuple[float, int]:
    """Count the pairs of faces whose tier of a match changes."""
    one, other = tiers(before), tiers(after)
    if len(one) != len(other):  # a face was lost, so that pairs can't be told
        return float("inf"), len(one)
    return sum(a != b for a, b in zip(one, other, strict=True)), len(one)


def _letters(before: Sequence[Answers], after: Sequence[Answers]) -> tuple[float, int]:
    wrong = sum(distance(a.text, b.text) for a, b in zip(before, after, strict=True))
    letters = sum(len(answers.text) for answers in before)
    return wrong / max(letters, 1), letters


def _first_tags(before: Sequence[Answers], after: Sequence[Answers]) -> tuple[float, int]:
    changed = sum([*a.tags][:1] != [*b.tags][:1] for a, b in zip(before, after, strict=True))
    return changed, len(before)


def _excess(score: float) -> float:
    """Return by how much a tag's score is above what it may have needed."""
    return score - max((least for least in LEAST_SHARES if least <= score), default=score)


def _scores(before: Sequence[Answers], after: Sequence[Answers]) -> tuple[float, int]:
    values = []
    for a, b in zip(before, after, strict=True):
        values.append(abs(a.adult - b.adult))
        values += [abs(a.tags[name] - b.tags[name]) for name in a.tags.keys() & b.tags.keys()]
        # A tag that one run leaves out is hardly likely enough in the other.
        left_out = a.tags.keys() ^ b.tags.keys()
        values += [_excess(max(a.tags.get(name, 0), b.tags.get(name, 0))) for name in left_out]
    return _worst(values, 0, max)


BOUNDS = (
    Bound("faces found by one only", _faces_lost, 0),
    Bound("least cosine of a face's embeddings", _cosines, LEAST_COSINE, at_least=True),
    Bound("pairs of faces whose tier changes", _pairs, 0),
    Bound("share of letters read otherwise", _letters, MOST_LETTERS),
    Bound("photos with another first tag", _first_tags, 0),
    Bound("largest change of a score", _scores, MOST_SCORE),
    Bound("objects found by one only", _objects_lost, 0),
    Bound("least overlap of a box", _boxes, LEAST_OVERLAP, at_least=True),
)


def compare(before: Sequence[Answers], after: Sequence[Answers], title: str) -> list[Result]:
    """Return the table of two runs over the same photos."""
    return [bound.result(before, after, title) for bound in BOUNDS]


def run() -> list[Result]:
    """Return the comparisons over all sample photos."""
    store = AssetStore(read_settings().assets)
    names = [asset.name for asset in store.manifest.of_kind("sample", "bench")]
    photos = [decode_photo(store.path(name).read_bytes()) for name in names]
    before = LocalPipeline(store, "onnxruntime").answers(photos)
    results = compare(before, LocalPipeline(store, "auto").answers(photos), "choices")
    results += compare(before, LocalPipeline(store, "openvino").answers(photos), "all on OpenVINO")
    if on_openvino.processor() not in HAVE_BF16:
        rounded = [name for name, network in NETWORKS.items() if network.bf16_harmless]
        with tempfile.TemporaryDirectory() as folder:
            imitated = imitating_store(store, rounded, Path(folder))
            after = LocalPipeline(imitated, "onnxruntime").answers(photos)
        results += compare(before, after, "bf16 imitated")
    return results
