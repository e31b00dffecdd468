"""The languages that OCR_LANGUAGES may name: those that need data of their own to be read."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class OcrLanguage:
    """A language whose script the local OCR reads with data of its own.

    Attributes:
        code: its BCP 47 tag.
        name: in English.
        script: by ISO 15924.
        data: codes of the language data that reads it, as Tesseract names them; with two, each
            word is read by both. Russian's own is in no package: Belarusian and Bulgarian read it.
            Empty where no package has any: then it is read where the system has its script's.
        system: the package of Debian that has the script's data, if no other has.
    """

    code: str
    name: str
    script: str
    data: tuple[str, ...]
    system: str = ""


def _of_the_system(code: str, name: str, script: str, package: str) -> OcrLanguage:
    return OcrLanguage(code, name, script, (), f"tesseract-ocr-script-{package}")


OCR_LANGUAGES = (
    OcrLanguage("ar", "Arabic", "Arab", ("ara",)),
    OcrLanguage("fa", "Persian", "Arab", ("fas",)),
    OcrLanguage("ur", "Urdu", "Arab", ("urd",)),
    OcrLanguage("ru", "Russian", "Cyrl", ("bel", "bul")),
    OcrLanguage("uk", "Ukrainian", "Cyrl", ("ukr",)),
    OcrLanguage("am", "Amharic", "Ethi", ("amh", "tir")),
    OcrLanguage("ti", "Tigrinya", "Ethi", ("amh", "tir")),
    OcrLanguage("hi", "Hindi", "Deva", ("hin",)),
    OcrLanguage("bn", "Bengali", "Beng", ("ben",)),
    OcrLanguage("ta", "Tamil", "Taml", ("tam",)),
    OcrLanguage("ko", "Korean", "Kore", ("kor",)),
    OcrLanguage("he", "Hebrew", "Hebr", ("heb",)),
    OcrLanguage("th", "Thai", "Thai", ("tha",)),
    OcrLanguage("hy", "Armenian", "Armn", ("hye",)),
    OcrLanguage("ka", "Georgian", "Geor", ("kat",)),
    OcrLanguage("el", "Greek", "Grek", ("ell",)),
    OcrLanguage("vi", "Vietnamese", "Latn", ("vie",)),
    _of_the_system("my", "Burmese", "Mymr", "mymr"),
    _of_the_system("km", "Khmer", "Khmr", "khmr"),
    _of_the_system("lo", "Lao", "Laoo", "laoo"),
    _of_the_system("si", "Sinhala", "Sinh", "sinh"),
    _of_the_system("pa", "Punjabi", "Guru", "guru"),
    _of_the_system("gu", "Gujarati", "Gujr", "gujr"),
    _of_the_system("te", "Telugu", "Telu", "telu"),
    _of_the_system("kn", "Kannada", "Knda", "knda"),
    _of_the_system("ml", "Malayalam", "Mlym", "mlym"),
)
"""In the order in which scripts are tried on a photo's first line."""

CODES = tuple(language.code for language in OCR_LANGUAGES)
"""The default of OCR_LANGUAGES."""


def kinds_of_data(codes: Iterable[str]) -> list[str]:
    """Return the kinds of assets that these languages need: one for each file of data."""
    return [f"language {code}" for code in data_of(codes)]


def data_of(codes: Iterable[str]) -> list[str]:
    """Return the codes of the language data that these languages need, each once."""
    wanted = set(codes)
    needed = (code for each in OCR_LANGUAGES if each.code in wanted for code in each.data)
    return list(dict.fromkeys(needed))
