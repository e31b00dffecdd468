"""Puts the reader of scripts together from what is installed, and says what is missing."""

import logging
from collections.abc import Sequence
from importlib.util import find_spec

from imaginem.assets import AssetStore
from imaginem.engines.local.scripts.data import LanguageData
from imaginem.engines.local.scripts.photo import ScriptReader
from imaginem.engines.local.scripts.tesseract import Tesseract

_logger = logging.getLogger("imaginem.engines.local")


def script_reader(store: AssetStore, languages: Sequence[str]) -> ScriptReader:
    """Return the reader; without Tesseract or data it says which lines are unreadable.

    Args:
        store: has the data of packages.
        languages: the setting OCR_LANGUAGES.
    """
    readers = LanguageData(store).readers(languages) if _is_installed() else []
    if lacking := what_is_missing(store, languages):
        _logger.warning("%s", lacking)
    return ScriptReader(readers, Tesseract().read)


def what_is_missing(store: AssetStore, languages: Sequence[str]) -> str:
    """Return which of these languages can't be read, and what to do; empty if all can."""
    if not languages:
        return ""
    if not _is_installed():
        return (
            "lines in scripts other than Latin, Chinese and Japanese are only said to be "
            "unreadable, since tesserocr is not installed: `pip install -r requirements-local.txt`"
            ", where there is a wheel of it for this system"
        )
    lacking = LanguageData(store).missing(languages)
    names = [language.name for language in lacking if language.data]
    if not names:
        return ""
    return (
        f"lines in {', '.join(names)} are only said to be unreadable, since their data is "
        "missing: run `imaginem assets fetch`"
    )


def what_the_system_lacks(store: AssetStore, languages: Sequence[str]) -> str:
    """Return which of these languages only the system's own data could read, and what to install.

    Empty if all are read, or nothing of Tesseract's is.
    """
    if not _is_installed():
        return ""
    lacking = [each for each in LanguageData(store).missing(languages) if each.system]
    if not lacking:
        return ""
    return (
        f"lines in {', '.join(each.name for each in lacking)} are only said to be unreadable, "
        "since no package has data for them; where Debian's is installed they are read: "
        "`apt-get install "
        f"{' '.join(each.system for each in lacking)}`"
    )


def _is_installed() -> bool:
    """Tell whether the package with Tesseract is there; some systems have no wheel of it."""
    return find_spec("tesserocr") is not None
