"""Draws pages of lines, and makes them look like photographs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Array = NDArray[Any]

_RIGHT_TO_LEFT = ("ar", "fa", "ur", "he")
_LATIN = ("NotoSans-Regular", "NotoSerif-Regular", "FreeSans")
_ARABIC = ("NotoNaskhArabic-Regular", "NotoSansArabic-Regular")
_IN_DEJAVU = frozenset({"ar", "fa", "ru", "uk", "el", "hy", "ka", "vi", "fr"})
_FONTS: dict[str, tuple[str, ...]] = {
    "ar": (*_ARABIC, "ae_AlArabiya"),
    "fa": (*_ARABIC, "NotoNaskhArabic-Bold"),
    "ur": ("NotoNastaliqUrdu-Regular", *_ARABIC),
    "am": ("NotoSansEthiopic-Regular", "NotoSerifEthiopic-Regular", "AbyssinicaSIL-Regular"),
    "hi": ("NotoSansDevanagari-Regular", "NotoSerifDevanagari-Regular", "FreeSans"),
    "bn": ("NotoSansBengali-Regular", "NotoSerifBengali-Regular", "NotoSansBengali-Bold"),
    "ta": ("NotoSansTamil-Regular", "NotoSerifTamil-Regular", "NotoSansTamil-Bold"),
    "ko": ("NotoSansCJK-Regular", "NotoSerifCJK-Regular", "NotoSansCJK-Bold"),
    "he": ("NotoSansHebrew-Regular", "NotoSerifHebrew-Regular", "FreeSans"),
    "th": ("NotoSansThai-Regular", "NotoSerifThai-Regular", "NotoLoopedThai-Regular"),
    "hy": ("NotoSansArmenian-Regular", "NotoSerifArmenian-Regular", "NotoSansArmenian-Bold"),
    "ka": ("NotoSansGeorgian-Regular", "NotoSerifGeorgian-Regular", "NotoSansGeorgian-Bold"),
}
_FONTS |= {
    language: (f"NotoSans{script}-Regular", f"NotoSerif{script}-Regular")
    for language, script in (
        ("km", "Khmer"),
        ("lo", "Lao"),
        ("my", "Myanmar"),
        ("si", "Sinhala"),
        ("te", "Telugu"),
        ("ml", "Malayalam"),
        ("gu", "Gujarati"),
        ("pa", "Gurmukhi"),
        ("kn", "Kannada"),
    )
}
_FONTS |= {"ti": _FONTS["am"], "zh": _FONTS["ko"], "ja": _FONTS["ko"]}
_FONTS |= dict.fromkeys(("ru", "uk", "el", "vi", "fr"), _LATIN)
SIZES = (24, 32, 44)
"""Pixels of the letters on a page of 1,000."""
_WIDTH = 1000
_ROW = 2.2
"""Height of a row, as a multiple of its letters'."""
_IN_COLLECTION = {"ko": 1, "zh": 2, "ja": 0}


@dataclass(frozen=True)
class Fonts:
    """Fonts in a folder and those below it, as Debian's packages `fonts-noto-…` put them."""

    folder: Path

    def of(self, language: str) -> list[Path]:
        """Return those that are there for a language; a common one if the others are missing."""
        files = {path.stem: path for path in self.folder.rglob("*.[tTo]t[fFcC]")}
        chosen = [files[name] for name in _FONTS[language] if name in files]
        if not chosen and language in _IN_DEJAVU:
            return [files[name] for name in ("DejaVuSans",) if name in files]
        return chosen


def draw_page(lines: list[str], language: str, font: Path, size: int) -> tuple[Array, list[str]]:
    """Return a grey page, and what stands on it: letters that the font lacks are left out.

    Args:
        lines: to draw.
        language: says from which side.
        font: a file.
        size: pixels of the letters.
    """
    index = _IN_COLLECTION.get(language, 0) if font.suffix == ".ttc" else 0
    drawn = ImageFont.truetype(font, size, index=index, layout_engine=ImageFont.Layout.RAQM)
    direction = "rtl" if language in _RIGHT_TO_LEFT else "ltr"
    texts = [text for line in lines if (text := _drawable(line, drawn))]
    step = round(size * (3.2 if "Nastaliq" in font.stem else _ROW))
    page = Image.new("L", (_WIDTH, step * len(texts) + size), 245)
    pen = ImageDraw.Draw(page)
    for row, text in enumerate(texts):
        width = pen.textlength(text, drawn, direction=direction)
        left = _WIDTH - 40 - width if direction == "rtl" else 40
        pen.text((left, size // 2 + row * step), text, 25, drawn, direction=direction)
    return np.asarray(page), texts


def draw_words(lines: list[str], font: Path, spare: Path, size: int) -> Array:
    """Return a grey page of lines that run from left to right; `row_places` says where.

    Args:
        lines: to draw.
        font: a file; for each word that it lacks letters of, the spare one is taken.
        spare: a font with figures: fonts of one script may have none.
        size: pixels of the letters.
    """
    chosen, other = (
        ImageFont.truetype(file, size, layout_engine=ImageFont.Layout.RAQM)
        for file in (font, spare)
    )
    step = round(size * _ROW)
    page = Image.new("L", (_WIDTH, step * len(lines) + size), 245)
    pen = ImageDraw.Draw(page)
    for row, line in enumerate(lines):
        left = 40.0
        for word in line.split():
            drawn = chosen if _drawable(word, chosen) == word else other
            pen.text((left, size * 1.5 + row * step), word, 25, drawn, anchor="ls")
            left += pen.textlength(word, drawn) + size * 0.3
    return np.asarray(page)


def row_places(count: int, size: int) -> list[tuple[int, int]]:
    """Return the top and the bottom of each row of a page."""
    step = round(size * _ROW)
    return [(step * row, step * (row + 1)) for row in range(count)]


def _drawable(text: str, font: ImageFont.FreeTypeFont) -> str:
    """Return a text without letters that the font would draw as an empty box."""
    box = bytes(font.getmask("\U0010ffff"))
    kept = "".join(
        letter for letter in text if letter.isspace() or bytes(font.getmask(letter)) != box
    )
    return " ".join(kept.split())


def photographed(page: Array, seed: int) -> Array:
    """Return a page as a phone may take it: askew, unevenly lit, blurred, noisy, as JPEG."""
    chance = np.random.default_rng(seed)
    height, width = page.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    askew = corners + chance.uniform(-0.015, 0.015, (4, 2)) * width
    change = cv2.getPerspectiveTransform(corners, askew.astype(np.float32))
    seen = cv2.warpPerspective(page, change, (width, height), borderMode=cv2.BORDER_REPLICATE)
    left, right = chance.uniform(0.6, 1.0, 2).tolist()
    light = np.linspace(left, right, width)[None]
    seen = (seen.astype(np.float32) * 0.75 + 40) * light
    seen = cv2.GaussianBlur(seen, (0, 0), float(chance.uniform(0.7, 1.4)))
    seen = np.clip(seen + chance.normal(0, 9, seen.shape), 0, 255).astype(np.uint8)
    _, packed = cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, 60])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE))
