"""Counts what a photo's file is made of, before any decoder sees it.

The time and memory of decoding follow from scans, strips, frames, tiles and pixels, not from
bytes. Each survey walks the file as Pillow would, and stops at a limit, so that it is quick itself.
"""

import struct
from collections.abc import Callable

from imaginem.images.survey.heif import survey_heif
from imaginem.images.survey.jpeg import survey_jpeg
from imaginem.images.survey.pages import survey_bmp, survey_gif, survey_png, survey_webp
from imaginem.images.survey.tiff import TIFF_STARTS, survey_tiff

_SURVEYS: tuple[tuple[tuple[bytes, ...], Callable[[bytes], bool]], ...] = (
    ((b"\xff\xd8\xff",), survey_jpeg),
    ((b"\x89PNG\r\n\x1a\n",), survey_png),
    ((b"GIF87a", b"GIF89a"), survey_gif),
    ((b"BM",), survey_bmp),
    ((b"RIFF",), survey_webp),
    (TIFF_STARTS, survey_tiff),
)


def looks_like_heif(data: bytes) -> bool:
    """Tell whether a file is of the family of HEIF, by its first box."""
    return data[4:8] == b"ftyp"


def is_avif(data: bytes) -> bool:
    """Tell whether a file of the family of HEIF is AVIF, by the brands in its first box."""
    brands = data[8 : max(int.from_bytes(data[:4], "big"), 16)]
    return looks_like_heif(data) and any(
        brands[at : at + 4] in (b"avif", b"avis") for at in range(0, len(brands), 4)
    )


def is_pdf(data: bytes) -> bool:
    """Tell whether a file is a PDF; before its first line there may be some junk."""
    return b"%PDF-" in data[:1024] and not _is_known(data)


def is_jpeg_xl(data: bytes) -> bool:
    """Tell whether a file is JPEG XL (ISO/IEC 18181-2), as a bare stream or in boxes."""
    return data.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"))


def opened_apart(data: bytes) -> str:
    """Return the format of a file that no decoder in this process may open; else ""."""
    return "PDF" if is_pdf(data) else "JXL" if is_jpeg_xl(data) else ""


def _is_known(data: bytes) -> bool:
    return looks_like_heif(data) or any(data.startswith(starts) for starts, _ in _SURVEYS)


def survey(data: bytes) -> bool:
    """Tell whether a photo's file is plain enough to be decoded in this process.

    Pixels are counted by whoever opens the file. Damage counts as not plain.

    Raises:
        OverLimit: it has too many of something; says of what.
    """
    try:
        if looks_like_heif(data):
            return survey_heif(data)
        for starts, count in _SURVEYS:
            if data.startswith(starts):
                return count(data)
    except (struct.error, IndexError, OverflowError):  # offsets beyond every file, too
        return False
    return not opened_apart(data)  # what is no format of ours is not decoded at all
