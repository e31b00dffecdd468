"""Character errors by language, with the data of packages alone and with that of Debian."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
from numpy.typing import NDArray

from benchmarks.answers import distance
from benchmarks.options import read_options
from benchmarks.result import Result, missing
from benchmarks.scripts.drawing import SIZES, Fonts, draw_page, photographed
from benchmarks.scripts.texts import TEXTS, UNKNOWN, lines_of
from imaginem.assets import AssetStore
from imaginem.config.ocr_languages import CODES
from imaginem.config.settings import read_settings
from imaginem.engines.alphabets import main_script, scripts_in
from imaginem.engines.local.ocr import LocalOcr
from imaginem.engines.local.scripts.data import SYSTEM_FOLDERS, Data, LanguageData
from imaginem.engines.local.scripts.lines import FoundLine
from imaginem.engines.local.scripts.photo import ScriptReader
from imaginem.engines.local.scripts.tesseract import Reading, Tesseract
from imaginem.outputs import TextLine

Array = NDArray[Any]

_ON_A_PAGE = 12
_KEPT_READINGS = 500
_BEFORE = "PP-OCR alone"
_LEAST_BEFORE = 0.75
"""Score from which the engine kept a line before it had other readers."""
_DEMANDED = frozenset({"ar", "fa", "ru", "uk", "am", "ti", "hi", "el", "vi", "ko"})
"""Languages of the scripts for which limits were set."""
_LIMITS = {("packages", "clean"): 8.0, ("Debian", "clean"): 3.0, ("Debian", "photo"): 12.0}
"""Most character errors in percent."""
_INVISIBLE = dict.fromkeys(range(0x200B, 0x2010))


@dataclass
class Count:
    """What was read of some pages.

    Attributes:
        letters: that stand there.
        errors: letters to put in, take out or change.
        invented: letters that were read in a script that does not stand there.
        lines: that stand there.
        unread: lines that are said to be unreadable.
    """

    letters: int = 0
    errors: int = 0
    invented: int = 0
    lines: int = 0
    unread: int = 0

    @property
    def percent(self) -> float:
        """Character errors in percent."""
        return 100 * self.errors / max(self.letters, 1)

    def add(self, truth: Sequence[str], read: Sequence[TextLine]) -> None:
        """Compare a page: letters of lines that are not read count as errors."""
        wanted = plain(" ".join(truth))
        got = plain(" ".join(line.text for line in read if not line.unreadable))
        self.letters += len(wanted)
        self.errors += distance(wanted, got)
        there = {main_script(line) for line in truth}
        self.invented += sum(n for script, n in scripts_in(got).items() if script not in there)
        self.lines += len(truth)
        self.unread += sum(bool(line.unreadable) for line in read)


@dataclass
class Readers:
    """The engine's parts, so that lines are located once for both columns."""

    store: AssetStore
    system: tuple[Path, ...]
    tesseract: Tesseract = field(default_factory=lambda: Tesseract(most=40))
    _readings: dict[Any, Reading] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine = LocalOcr(self.store, read_settings().local_runtime)
        self.readers = {
            "packages": LanguageData(self.store, ()).readers(CODES),
            "Debian": LanguageData(self.store, self.system).readers(CODES),
        }

    def found(self, page: Array) -> tuple[Array, list[FoundLine]]:
        """Return the page as the engine looks at it, and the lines it locates."""
        bgr = cv2.cvtColor(page, cv2.COLOR_GRAY2BGR)
        return bgr, self.engine.located_lines(bgr)

    def read(self, column: str, bgr: Array, found: Sequence[FoundLine]) -> list[TextLine]:
        """Return what is read without memory of other photos."""
        return ScriptReader(self.readers[column], self._read_once).read(bgr, found)

    def _read_once(self, line: Array, data: Data) -> Reading:
        """Read a line; both columns share most of the data, and each reading is made once."""
        known = (line.tobytes(), line.shape, data)
        if known not in self._readings:
            if len(self._readings) > _KEPT_READINGS:
                self._readings.clear()
            self._readings[known] = self.tesseract.read(line, data)
        return self._readings[known]


def plain(text: str) -> str:
    """Return a text as it is compared: NFKC, without invisible signs."""
    return " ".join(unicodedata.normalize("NFKC", text).translate(_INVISIBLE).split())


def pages_of(language: str, count: int, fonts: Fonts) -> Iterator[tuple[Array, list[str]]]:
    """Return pages of lines, in turn in each font and size."""
    lines = lines_of(language, count) if language in TEXTS else [UNKNOWN[language]] * _ON_A_PAGE
    files = fonts.of(language)
    for number, start in enumerate(range(0, len(lines), _ON_A_PAGE)):
        font = files[number % len(files)]
        size = SIZES[(number // len(files) + number) % len(SIZES)]
        yield draw_page(lines[start : start + _ON_A_PAGE], language, font, size)


def measured(
    readers: Readers, language: str, count: int, fonts: Fonts
) -> dict[tuple[str, str], Count]:
    """Return the counts of a language by column and by state of the page."""
    columns = (*readers.readers, _BEFORE)
    counts = {(column, state): Count() for column in columns for state in ("clean", "photo")}
    for seed, (page, truth) in enumerate(pages_of(language, count, fonts)):
        for state, seen in (("clean", page), ("photo", photographed(page, seed))):
            bgr, found = readers.found(seen)
            for column in readers.readers:
                counts[column, state].add(truth, readers.read(column, bgr, found))
            kept = [one.line for one in found if one.line.confidence >= _LEAST_BEFORE]
            counts[_BEFORE, state].add(truth, kept)
    return counts


def run() -> list[Result]:
    """Measure every language; those without a font are said."""
    options = read_options()
    fonts = Fonts(Path(options.fonts))
    system = (Path(options.tessdata),) if options.tessdata else SYSTEM_FOLDERS
    readers = Readers(AssetStore(read_settings().assets), system)
    chosen = options.script_languages.split(",") if options.script_languages else [*TEXTS, *UNKNOWN]
    results: list[Result] = []
    for language in chosen:
        if language not in TEXTS and language not in UNKNOWN:
            known = ", ".join((*TEXTS, *UNKNOWN))
            reason = f"SCRIPT_LANGUAGES: there are no texts in it, only in {known}"
            results.append(missing(f"{language}: character errors", reason))
        elif not fonts.of(language):
            results.append(missing(f"{language}: character errors", "no font of it is installed"))
        else:
            results += rows(readers, language, options.script_lines, fonts)
    return results


def rows(readers: Readers, language: str, count: int, fonts: Fonts) -> Iterable[Result]:
    """Return a language's rows of the table."""
    counts = measured(readers, language, count, fonts)
    for (column, state), found in counts.items():
        name = f"{language}, {column}, {state}"
        more = {"unread": found.unread, "invented": found.invented, "lines": found.lines}
        if language in UNKNOWN:
            shown = f"{found.invented} letters invented, {found.unread} of {found.lines} said"
            kept = None if column == _BEFORE else not found.invented
            budget = "-" if column == _BEFORE else "0 invented"
            yield Result(name, found.invented, shown, budget, kept, more=more)
            continue
        limit = _LIMITS.get((column, state)) if language in _DEMANDED else None
        shown = f"{found.percent:.1f} % of {found.letters}, {found.unread} unreadable"
        kept = None if limit is None else found.percent <= limit
        budget = f"<= {limit:g} %" if limit is not None else "-"
        yield Result(name, found.percent, shown, budget, kept, more=more)
