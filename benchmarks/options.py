"""How large the measurements are, and what they compare with; from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields

_UNLIMITED = 10_000_000
_TEXTS = ("texts_database", "baseline", "script_languages", "fonts", "tessdata")


@dataclass(frozen=True)
class Options:
    """Sizes of the measurements; each is an environment variable in capitals.

    Attributes:
        photos: how many go through the pipeline in each round.
        rounds: interleaved rounds; figures are medians of them.
        jobs: jobs of trivial steps in each round.
        vectors: embeddings that are searched, ours and with other indexes.
        faces: faces in the gallery whose pages are timed.
        texts: photos with words that are searched.
        texts_database: address of an empty database that they are written into; else a SQLite file.
        galleries: sizes of the galleries that are searched; numbers with commas between.
        script_lines: drawn in each language, clean and as a photograph.
        script_languages: whose lines are drawn, with commas between; empty for all.
        fonts: folder of fonts, with those of the folders in it.
        tessdata: folder of Debian's language data; empty for the usual ones.
        baseline: a commit that is measured beside this tree; empty for none.
    """

    photos: int = 48
    rounds: int = 3
    jobs: int = 500
    vectors: int = 100_000
    faces: int = 100_000
    texts: int = 100_000
    texts_database: str = ""
    galleries: tuple[int, ...] = (10_000, 100_000)
    script_lines: int = 200
    script_languages: str = ""
    fonts: str = "/usr/share/fonts"
    tessdata: str = ""
    baseline: str = ""


def read_options(environment: Mapping[str, str] | None = None) -> Options:
    """Return the options of the environment.

    Raises:
        ValueError: a size is no whole number from 1 on; names it.
    """
    values = os.environ if environment is None else environment
    given: dict[str, str | int | tuple[int, ...]] = {}
    for field in fields(Options):
        text = values.get(field.name.upper(), "")
        if not text:
            continue
        if field.name in _TEXTS:
            given[field.name] = text
        elif field.name == "galleries":
            given[field.name] = tuple(_size(field.name, size) for size in text.split(","))
        else:
            given[field.name] = _size(field.name, text)
    return Options(**given)  # type: ignore[arg-type] # each has its field's type


def _size(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _UNLIMITED:
        message = f"{name.upper()}={text}: write a whole number from 1 to {_UNLIMITED}"
        raise ValueError(message)
    return int(text)
