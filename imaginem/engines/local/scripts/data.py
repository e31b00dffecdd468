"""Which language data there is: of packages, and of the system where that is better."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imaginem.assets import AssetStore
from imaginem.config.ocr_languages import OCR_LANGUAGES, OcrLanguage
from imaginem.engines.alphabets import NAMES
from imaginem.errors import ConfigurationError

SYSTEM_FOLDERS = tuple(
    Path(folder)
    for folder in (
        "/usr/share/tesseract-ocr/5/tessdata",
        "/usr/share/tesseract-ocr/4.00/tessdata",
        "/usr/share/tessdata",
        "/usr/share/tessdata/script",
    )
)
"""Where Linux distributions put language data: Debian, and then others."""
# The data of a whole script is called like the script, but for these.
_FILES = NAMES | {"Arab": "Arabic", "Kore": "Hangul", "Latn": "Vietnamese", "Mymr": "Myanmar"}
# The scripts for which it is tried before that of a package: docs/models.md has the figures.
_SYSTEM_FIRST = frozenset({"Cyrl", "Hebr", "Taml"})
_KEEP_SPACES = frozenset({"Hangul", "Thai"})


@dataclass(frozen=True)
class Data:
    """Language data of Tesseract.

    Attributes:
        folder: that holds the files.
        names: of the files in it, without `.traineddata`; with two, each word is read by both.
        keeps_spaces: tells Tesseract that blanks between letters are none between words: the data
            of Hangul and Thai scripts need it, while Arabic and Hebrew lose blanks by it.
    """

    folder: Path
    names: tuple[str, ...]
    keeps_spaces: bool = False


@dataclass(frozen=True)
class Reader:
    """A model, and what it reads.

    Attributes:
        script: code of its script.
        data: of the model.
        languages: that it was chosen for.
    """

    script: str
    data: Data
    languages: tuple[str, ...]


def asset_name(code: str) -> str:
    """Return what the manifest calls the language data of a package."""
    return f"ocr-{code}.traineddata"


class LanguageData:
    """Finds the data of languages.

    Args:
        store: has the data of packages.
        system: folders with data of the system.
    """

    def __init__(self, store: AssetStore, system: Sequence[Path] = SYSTEM_FOLDERS) -> None:
        self._store, self._system = store, system

    def readers(self, codes: Iterable[str]) -> list[Reader]:
        """Return a reader for each of these languages that has data.

        Languages that the same data reads share a reader. The order is that of the table.
        """
        wanted = set(codes)
        found: dict[Data, Reader] = {}
        for language in OCR_LANGUAGES:
            data = self._of(language) if language.code in wanted else None
            if data is not None:
                others = found[data].languages if data in found else ()
                found[data] = Reader(language.script, data, (*others, language.code))
        return list(found.values())

    def missing(self, codes: Iterable[str]) -> list[OcrLanguage]:
        """Return those of these languages that no data is there for."""
        wanted = set(codes)
        return [each for each in OCR_LANGUAGES if each.code in wanted and self._of(each) is None]

    def _of(self, language: OcrLanguage) -> Data | None:
        script = _FILES[language.script]
        if language.script in _SYSTEM_FIRST or not language.data:
            ways: tuple[Callable[[], Data | None], ...] = (
                lambda: self._installed((script,)),
                lambda: self._packaged(language.data) if language.data else None,
            )
        else:
            ways = (
                lambda: self._packaged(language.data),
                lambda: self._installed(language.data),
                lambda: self._installed((script,)),
            )
        return next((data for way in ways if (data := way()) is not None), None)

    def _packaged(self, codes: tuple[str, ...]) -> Data | None:
        try:
            paths = [self._store.path(asset_name(code)) for code in codes]
        except ConfigurationError:
            return None
        return Data(paths[0].parent, tuple(path.stem for path in paths))

    def _installed(self, names: tuple[str, ...]) -> Data | None:
        for folder in self._system:
            if all((folder / f"{name}.traineddata").is_file() for name in names):
                return Data(folder, names, keeps_spaces=names[0] in _KEEP_SPACES)
        return None
