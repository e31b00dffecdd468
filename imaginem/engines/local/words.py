"""The words of tags: ImageNet's classes and COCO's objects, put into words that help tracing.

`labels.json` is the whole vocabulary: a class that it does not name never becomes a tag. ImageNet
has no people. Shown one, it names clothes, underwear or an ape, and those are not among the words;
they only tell that somebody is there.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic_core import from_json

from imaginem.engines.local.tagger import families
from imaginem.outputs import FoundObject, Tag

Array = NDArray[Any]

# Measured on the photos of `benchmarks/data/labelled_photos.json`: see docs/models.md.
_MIN_SHARE = 0.2  # of a word, all its classes together, where nobody is
_OWN_SHARE = 0.3  # of a single class that is told by its own name
_UNIFORM_SHARE = 0.3
_SHARE_WITH_PEOPLE = 0.5  # what people wear and hold misleads the tagger
LEAST_SHARES = (_MIN_SHARE, _OWN_SHARE, _UNIFORM_SHARE, _SHARE_WITH_PEOPLE)
"""Probabilities from which one word or another becomes a tag."""
_PEOPLE_SHARE = 0.1  # of the classes in `people`, all together
_ANIMAL_SHARE = 0.3  # of all animals, below which a doubtful one of the detector is a person
_SURE_OF_ANIMAL = 0.6
_CROWD = 8  # people
_MAX_TAGS = 8
_UNIFORM = "uniform"
_ANIMALS = 398  # ImageNet's first classes


class Vocabulary(NamedTuple):
    """What `labels.json` holds; each word with the names that it stands for.

    Attributes:
        objects: of COCO's objects.
        anywhere: of ImageNet's classes that may be told of a photo with people, too.
        where_nobody_is: of those that may be told of other photos only.
        as_they_are: classes that are told by their own names, where nobody is.
        people: classes that people are mistaken for: what they wear or use on themselves, and apes.
            But for uniforms they are never told.
    """

    objects: Mapping[str, Sequence[str]]
    anywhere: Mapping[str, Sequence[str]]
    where_nobody_is: Mapping[str, Sequence[str]]
    as_they_are: Sequence[str]
    people: Sequence[str]


@cache
def vocabulary() -> Vocabulary:
    """Return the table of words."""
    data = files("imaginem.engines.local").joinpath("labels.json").read_bytes()
    return Vocabulary(**from_json(data))


class _WordsOfClasses:
    """Words, each with its classes among those of the network."""

    def __init__(self, names: Mapping[str, Sequence[str]], labels: Sequence[str]) -> None:
        self._words = list(names)
        rows = np.stack([_among(classes, labels) for classes in names.values()])
        self._rows = rows.astype(np.float32)
        self.classes: Array = np.asarray(rows.any(axis=0))
        """Whether a class has a word."""

    def shares(self, probabilities: Array) -> dict[str, float]:
        """Return the probability of each word: the sum of its classes."""
        return dict(zip(self._words, (self._rows @ probabilities).tolist(), strict=True))


class Words:
    """Turns what the networks found into tags.

    Args:
        labels: ImageNet's classes, in the network's order; a name may be there twice.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        table = vocabulary()
        self._labels = list(labels)
        self._anywhere = _WordsOfClasses(table.anywhere, self._labels)
        self._elsewhere = _WordsOfClasses(table.where_nobody_is, self._labels)
        self._own = _among(table.as_they_are, self._labels)
        self._people = _among(table.people, self._labels)
        self._animals = ~self._people & (np.arange(len(self._labels)) < _ANIMALS)

    def seen(self, probabilities: Array, objects: Sequence[FoundObject]) -> list[FoundObject]:
        """Return the objects without animals that are people: the detector calls close faces cats.

        Args:
            probabilities: of ImageNet's classes.
            objects: as the detector found them.
        """
        if not self._looks_like_people(probabilities):
            return list(objects)
        if probabilities[self._animals].sum() >= _ANIMAL_SHARE:
            return list(objects)
        return [
            thing
            for thing in objects
            if not _is_animal(thing) or thing.confidence >= _SURE_OF_ANIMAL
        ]

    def without_people(self, probabilities: Array, objects: Sequence[FoundObject]) -> Array:
        """Return the probabilities, with 0 for what people are mistaken for.

        Where somebody is, classes are left that may be told of people; animals only if the detector
        has found one.

        Args:
            probabilities: of ImageNet's classes.
            objects: that were found in the photo, see `seen`.
        """
        hidden = self._people
        if self._somebody(probabilities, objects):
            shown = self._anywhere.classes
            if any(map(_is_animal, objects)):
                shown = shown | self._animals
            hidden = hidden | ~shown
        return np.where(hidden, 0, probabilities)

    def tags(self, probabilities: Array, objects: Sequence[FoundObject]) -> list[Tag]:
        """Return words for the whole photo, the surest first, without the objects' own names.

        Args:
            probabilities: of ImageNet's classes.
            objects: that were found in the photo, see `seen`.
        """
        shares = self._anywhere.shares(probabilities)
        uniform = shares.pop(_UNIFORM)
        if self._somebody(probabilities, objects):
            kept = _likely(shares, _SHARE_WITH_PEOPLE)
        else:
            kept = _likely(shares | self._elsewhere.shares(probabilities), _MIN_SHARE)
            kept |= _likely(families(probabilities), _OWN_SHARE) | self._own_names(probabilities)
        if uniform >= _UNIFORM_SHARE and any(thing.object == "person" for thing in objects):
            kept[_UNIFORM] = uniform
        for word, score in words_of(objects).items():
            kept[word] = max(kept.get(word, 0.0), score)
        ordered = sorted(kept.items(), key=lambda item: -item[1])[:_MAX_TAGS]
        return [Tag(name=name, confidence=round(min(share, 1.0), 4)) for name, share in ordered]

    def _somebody(self, probabilities: Array, objects: Sequence[FoundObject]) -> bool:
        found = any(thing.object == "person" for thing in objects)
        return found or self._looks_like_people(probabilities)

    def _looks_like_people(self, probabilities: Array) -> bool:
        return float(probabilities[self._people].sum()) >= _PEOPLE_SHARE

    def _own_names(self, probabilities: Array) -> dict[str, float]:
        likely = np.flatnonzero(self._own & (probabilities >= _OWN_SHARE))
        return {self._labels[index]: float(probabilities[index]) for index in likely}


def words_of(objects: Sequence[FoundObject]) -> dict[str, float]:
    """Return wider words for objects, each with the confidence of its surest object."""
    found: dict[str, float] = {}
    for word, names in vocabulary().objects.items():
        scores = [thing.confidence for thing in objects if thing.object in names]
        if scores:
            found[word] = max(scores)
    people = sorted((each.confidence for each in objects if each.object == "person"), reverse=True)
    if len(people) >= _CROWD:
        found["crowd"] = people[_CROWD - 1]
    return found


def _among(names: Sequence[str], labels: Sequence[str]) -> Array:
    """Return for each label whether it is one of the names."""
    wanted = set(names)
    return np.array([label in wanted for label in labels])


def _is_animal(thing: FoundObject) -> bool:
    return thing.object in vocabulary().objects["animal"]


def _likely(shares: Mapping[str, float], least: float) -> dict[str, float]:
    return {word: share for word, share in shares.items() if share >= least}
