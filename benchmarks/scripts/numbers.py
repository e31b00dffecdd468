"""Lines with a name and a number: what is read of both, and what is said where nobody can."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from benchmarks.answers import distance
from benchmarks.options import read_options
from benchmarks.result import Result, missing
from benchmarks.scripts.drawing import (
    SIZES,
    Fonts,
    draw_page,
    draw_words,
    photographed,
    row_places,
)
from benchmarks.scripts.measure import Readers, plain
from benchmarks.scripts.names import NAMES, UNREADABLE, lines_with_numbers
from imaginem.assets import AssetStore
from imaginem.config.settings import read_settings
from imaginem.engines.local.scripts.data import SYSTEM_FOLDERS
from imaginem.outputs import TextLine

Array = NDArray[Any]

_LINES, _ON_A_PAGE = 48, 12
_WITH_FIGURES = "NotoSans-Regular"
_FROM_THE_RIGHT = "ar"


@dataclass(frozen=True)
class Row:
    """A line of a page: its name, its whole text, and its top and bottom in pixels."""

    name: str
    text: str
    top: int
    bottom: int

    def holds(self, line: TextLine) -> bool:
        """Tell whether a line that was found is this one, or a piece of it."""
        middle = (line.polygon[1] + line.polygon[5]) / 2
        return self.top <= middle < self.bottom


@dataclass
class Count:
    """What was read of lines with a name and a number.

    Attributes:
        lines: that stand there.
        said: of which something is said to be unreadable.
        invented: signs beside those of the number, of lines that nobody can read.
        numbers: whose figures were all read, and no others.
        letters: that stand there.
        errors: letters to put in, take out or change.
    """

    lines: int = 0
    said: int = 0
    invented: int = 0
    numbers: int = 0
    letters: int = 0
    errors: int = 0

    def add(self, row: Row, read: Iterable[TextLine]) -> None:
        """Compare a line with what was read of it."""
        pieces = [line for line in read if row.holds(line)]
        told = " ".join(line.text for line in pieces if not line.unreadable)
        number = row.text.replace(row.name, "").strip()
        more = Counter("".join(told.split())) - Counter(number)
        orders = (f"{row.name} {number}", f"{number} {row.name}")
        self.lines += 1
        self.said += any(line.unreadable for line in pieces)
        self.invented += sum(more.values())
        self.numbers += sorted(filter(_is_figure, told)) == sorted(filter(_is_figure, number))
        self.letters += len(row.text)
        self.errors += min(distance(plain(order), plain(told)) for order in orders)


def _is_figure(sign: str) -> bool:
    return sign.isdigit()


def pages(language: str, fonts: Fonts, spare: Path) -> Iterator[tuple[Array, list[Row]]]:
    """Return pages of lines, in turn in each font and size, and what stands on each."""
    lines, files = lines_with_numbers(language, _LINES), fonts.of(language)
    for number, start in enumerate(range(0, len(lines), _ON_A_PAGE)):
        some = lines[start : start + _ON_A_PAGE]
        font = files[number % len(files)]
        size = SIZES[(number // len(files) + number) % len(SIZES)]
        texts = [text for _, text in some]
        if language == _FROM_THE_RIGHT:
            page, drawn = draw_page(texts, language, font, size)
            some = [(name, text) for (name, _), text in zip(some, drawn, strict=True)]
        else:
            page = draw_words(texts, font, spare, size)
        places = row_places(len(some), size)
        yield page, [Row(*line, *place) for line, place in zip(some, places, strict=True)]


def run() -> list[Result]:
    """Measure names with numbers in every script of `names`; those without a font are said."""
    options = read_options()
    fonts = Fonts(Path(options.fonts))
    spare = next(fonts.folder.rglob(f"{_WITH_FIGURES}.ttf"), None)
    readers = Readers(AssetStore(read_settings().assets), SYSTEM_FOLDERS)
    chosen = options.script_languages.split(",") if options.script_languages else [*NAMES]
    results: list[Result] = []
    for language in chosen:
        if language not in NAMES:
            reason = f"SCRIPT_LANGUAGES: there are no names in it, only in {', '.join(NAMES)}"
            results.append(missing(f"{language}: names with numbers", reason))
        elif spare is None or not fonts.of(language):
            reason = f"no font of it is installed, or no {_WITH_FIGURES}"
            results.append(missing(f"{language}: names with numbers", reason))
        else:
            results += rows(readers, language, fonts, spare)
    return results


def rows(readers: Readers, language: str, fonts: Fonts, spare: Path) -> Iterator[Result]:
    """Return a language's rows of the table."""
    counts = {"clean": Count(), "photo": Count()}
    for seed, (page, lines) in enumerate(pages(language, fonts, spare)):
        for state, seen in (("clean", page), ("photo", photographed(page, seed))):
            bgr, found = readers.found(seen)
            read = readers.read("Debian", bgr, found)
            for row in lines:
                counts[state].add(row, read)
    for state, count in counts.items():
        name = f"{language} with numbers, {state}"
        figures = f"{count.numbers} numbers of {count.lines}"
        if language in UNREADABLE:
            shown = f"{count.invented} signs invented, {count.said} said, {figures}"
            kept = not count.invented
            yield Result(name, count.invented, shown, "0 invented", kept, more=vars(count))
        else:
            percent = 100 * count.errors / count.letters
            shown = f"{percent:.1f} % of {count.letters}, {count.said} unreadable, {figures}"
            yield Result(name, percent, shown, "-", None, more=vars(count))
