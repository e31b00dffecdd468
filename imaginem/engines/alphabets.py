"""Letters: which script they are of, and what a text of them is in."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cache

from imaginem.outputs import TextLine

NAMES = {
    "Arab": "Arabic script",
    "Armn": "Armenian",
    "Beng": "Bengali",
    "Cyrl": "Cyrillic",
    "Deva": "Devanagari",
    "Ethi": "Ethiopic",
    "Geor": "Georgian",
    "Grek": "Greek",
    "Gujr": "Gujarati",
    "Guru": "Gurmukhi",
    "Hebr": "Hebrew",
    "Khmr": "Khmer",
    "Knda": "Kannada",
    "Kore": "Korean",
    "Laoo": "Lao",
    "Latn": "Latin",
    "Mlym": "Malayalam",
    "Mymr": "Burmese",
    "Sinh": "Sinhala",
    "Taml": "Tamil",
    "Telu": "Telugu",
    "Thai": "Thai",
}
"""What people call a script, by its code of ISO 15924."""
RIGHT_TO_LEFT = frozenset({"Arab", "Hebr"})
# The first word of a letter's Unicode name.
_SCRIPTS = {
    "ARABIC": "Arab",
    "ARABIC-INDIC": "Arab",
    "EXTENDED": "Arab",
    "ARMENIAN": "Armn",
    "BENGALI": "Beng",
    "CYRILLIC": "Cyrl",
    "DEVANAGARI": "Deva",
    "ETHIOPIC": "Ethi",
    "GEORGIAN": "Geor",
    "GREEK": "Grek",
    "HANGUL": "Kore",
    "HEBREW": "Hebr",
    "LATIN": "Latn",
    "TAMIL": "Taml",
    "THAI": "Thai",
    "GUJARATI": "Gujr",
    "GURMUKHI": "Guru",
    "KANNADA": "Knda",
    "KHMER": "Khmr",
    "LAO": "Laoo",
    "MALAYALAM": "Mlym",
    "MYANMAR": "Mymr",
    "SINHALA": "Sinh",
    "TELUGU": "Telu",
    "CJK": "Hani",
    "HIRAGANA": "Jpan",
    "KATAKANA": "Jpan",
}
_LANGUAGES = {
    "Armn": "hy",
    "Geor": "ka",
    "Grek": "el",
    "Gujr": "gu",
    "Guru": "pa",
    "Hebr": "he",
    "Khmr": "km",
    "Knda": "kn",
    "Kore": "ko",
    "Laoo": "lo",
    "Mlym": "ml",
    "Mymr": "my",
    "Sinh": "si",
    "Taml": "ta",
    "Telu": "te",
    "Thai": "th",
    "Hani": "zh",
    "Jpan": "ja",
}
# Letters that only one of the languages of a script writes, of those that are read.
_TELLING = {
    "Arab": (("ur", "ٹڈڑںےۓ"), ("fa", "پچژگ")),
    "Cyrl": (("uk", "іїєґІЇЄҐ"), ("ru", "ыэёъЫЭЁЪ")),
    "Ethi": (("ti", "ኣቐቑቒቓቔቕቖኸኹኺኻኼኽኾዀ"), ("am", "")),
    "Beng": (("as", "ৰৱ"), ("bn", "")),
}
_MARKS = dict.fromkeys([0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
"""Direction marks: the order of the letters is the logical one without them."""
# Two code points for one letter, and a sign that looks like a letter, as Tesseract writes them.
_MENDED = {"\u0e4d\u0e32": "\u0e33", "\u00b5": "\u03bc"}

# Data reads signs of its script as those of Latin. Not in a number such as 1,200, or in a time.
_LATIN_SIGN = re.compile(r"(?<!\d)[,;?:]|[,;?:](?!\d)")
_SIGNS = {"Arab": {",": "،", ";": "؛", "?": "؟"}, "Armn": {":": "\u0589"}}


@cache
def script_of(letter: str) -> str:
    """Return the code of a letter's script; empty for what every script uses, such as 7 and -."""
    if unicodedata.category(letter)[0] not in "LMN" or (letter.isascii() and letter.isdigit()):
        return ""
    return _SCRIPTS.get(unicodedata.name(letter, "").split(" ")[0], "")


def scripts_in(text: str) -> Counter[str]:
    """Return how many letters of each script a text has; Japanese includes its Chinese letters."""
    counts = Counter(script for letter in text if (script := script_of(letter)))
    if counts.get("Jpan"):
        counts["Jpan"] += counts.pop("Hani", 0)
    return counts


def figures_of(text: str) -> str:
    """Return the figures of a text: those that every reader knows."""
    return "".join(sign for sign in text if sign.isascii() and sign.isdigit())


def share(text: str, script: str) -> float:
    """Return the share of a text's letters that are of a script; 0 where it has none."""
    counts = scripts_in(text)
    return counts[script] / counts.total() if counts else 0.0


def main_script(text: str) -> str:
    """Return the script of most letters; empty for a text without letters."""
    counts = scripts_in(text)
    return counts.most_common(1)[0][0] if counts else ""


def language_by_letters(text: str, script: str) -> str:
    """Return a text's language as far as its letters tell, else `und-` and the script."""
    if script in _LANGUAGES:
        return _LANGUAGES[script]
    for language, letters in _TELLING.get(script, ()):
        if not letters or any(letter in letters for letter in text):
            return language
    return f"und-{script}" if script else ""


def main_language(lines: Iterable[TextLine]) -> str:
    """Return the language of most letters: a BCP 47 tag, or `und-Cyrl` and the like."""
    letters: Counter[str] = Counter()
    for line in lines:
        letters[line.language or ""] += sum(map(str.isalpha, line.text))
    letters.pop("", None)
    if letters.get("ja"):  # only Japanese has kana; its other letters look Chinese
        letters["ja"] += letters.pop("zh", 0)
    return letters.most_common(1)[0][0] if letters.total() else ""


def tidied(text: str) -> str:
    """Return a text without direction marks and line breaks, its letters in their usual form."""
    for written, meant in _MENDED.items():
        text = text.replace(written, meant)
    return " ".join(unicodedata.normalize("NFC", text.translate(_MARKS)).split())


def with_signs_of(script: str, text: str) -> str:
    """Return a text with the comma, full stop and the like that its script has for Latin ones."""
    signs = _SIGNS.get(script, {})
    return _LATIN_SIGN.sub(lambda sign: signs.get(sign[0], sign[0]), text) if signs else text


def unreadable(script: str) -> str:
    """Return what is said of text that can't be read.

    Args:
        script: its code; empty if nobody knows.
    """
    kind = f"text in {NAMES[script]}" if script in NAMES else "text in an unknown script"
    return f"{kind}, not readable here"
