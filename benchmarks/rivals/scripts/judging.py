"""Times a way to look at photos, and judges its answers; needs the standard library alone."""

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any


def use_one_core() -> None:
    """Keep this process on one core, whatever its libraries would take."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def images_a_second(look: Callable[[str], object], photos: Sequence[str]) -> float:
    """Return the images a second of `look`, which was called before on each photo."""
    begun = time.perf_counter()
    for path in photos:
        look(path)
    return len(photos) / (time.perf_counter() - begun)


def words_right(read: Callable[[str], str], texts: Mapping[str, str]) -> dict[str, float]:
    """Return how many words of the texts were read, and how many were read beside them.

    Args:
        read: returns the text of a photo.
        texts: the true text of each photo.
    """
    right = wanted = beside = 0
    for path, text in texts.items():
        true, found = Counter(_words(text)), Counter(_words(read(path)))
        right += (true & found).total()
        wanted += true.total()
        beside += (found - true).total()
    return {"words_right": right, "words": wanted, "words_beside": beside}


def _words(text: str) -> list[str]:
    """Return the words in small letters, with what is neither letter nor digit left out."""
    bare = (re.sub(r"[\W_]+", "", word) for word in text.casefold().split())
    return [word for word in bare if word]


def faces_right(
    count: Callable[[str], int], groups: Mapping[str, int], none: Sequence[str]
) -> dict[str, float]:
    """Return how many faces were found of those that a person counts, and where there are none."""
    return {
        "faces_found": sum(min(count(path), number) for path, number in groups.items()),
        "faces": sum(groups.values()),
        "faces_beside": sum(max(count(path) - number, 0) for path, number in groups.items())
        + sum(count(path) for path in none),
    }


def pairs_right(
    alike: Callable[[Any, Any], bool], persons: Sequence[tuple[str, Any]]
) -> dict[str, float]:
    """Return how many pairs of photos were told right: one person, or two.

    Args:
        alike: compares two faces.
        persons: who is in each photo, and his face there; None if none was found.
    """
    pairs = list(combinations(persons, 2))
    right = sum(
        one is not None and other is not None and alike(one, other) == (name == other_name)
        for (name, one), (other_name, other) in pairs
    )
    return {"pairs_right": right, "pairs": len(pairs)}
