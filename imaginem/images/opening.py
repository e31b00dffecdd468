"""Open photos' files safely: known formats only, counted before a decoder sees them."""

import io
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from imaginem.errors import PermanentError
from imaginem.images.limits import check_bytes, check_pixels, too_many_pixels
from imaginem.images.survey import is_avif, looks_like_heif, survey
from imaginem.images.survey.jpeg import END_OF_JPEG, ends_early
from imaginem.redaction import one_line

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")
"""The formats that are decoded besides HEIF, AVIF and PDF, by Pillow's names."""

DAMAGE = (
    OSError,
    ValueError,
    ArithmeticError,
    LookupError,
    RuntimeError,
    SyntaxError,
    TypeError,
    AttributeError,
    EOFError,
    struct.error,
    zlib.error,
)
"""What Pillow's decoders raise on damaged files."""
_TURNED = range(2, 9)  # Exif orientations other than upright
_heif_lock = threading.Lock()
_heif_ready = False


def _register_heif() -> None:
    """Register the HEIC decoder with Pillow, once; it is loaded here and not at import."""
    global _heif_ready
    with _heif_lock:
        if not _heif_ready:
            import pi_heif

            pi_heif.register_heif_opener()
            _heif_ready = True


@contextmanager
def opened_photo(data: bytes) -> "Iterator[Image.Image]":
    """Open a photo's file; errors of the decoder in the `with` block become `PermanentError`.

    Raises:
        OverLimit: it has too many bytes, pixels, scans, frames, strips or tiles.
        PermanentError: it is no photo, or damaged.
    """
    check_bytes(data)
    survey(data)
    with opened_counted(data) as opened:
        yield opened


@contextmanager
def opened_counted(data: bytes) -> "Iterator[Image.Image]":
    """Open a photo's file that `survey` has seen.

    Raises:
        OverLimit: it has too many pixels.
        PermanentError: it is no photo, or damaged.
    """
    from PIL import Image, UnidentifiedImageError

    formats: tuple[str, ...] = FORMATS
    if is_avif(data):
        formats = ("AVIF",)
    elif looks_like_heif(data):
        _register_heif()
        formats = ("HEIF",)
    bombs: tuple[type[BaseException], ...] = (
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    )
    # The decoder fills up with grey what is missing before the end that it is given.
    whole = data + END_OF_JPEG if is_cut_short(data) else data
    try:
        with Image.open(io.BytesIO(whole), formats=formats) as opened:
            check_pixels(opened.width, opened.height)
            yield opened
    except bombs:
        raise too_many_pixels("far too many") from None
    except UnidentifiedImageError:
        raise PermanentError(
            "the file is not a photo that can be read: send JPEG, PNG, GIF, BMP, WEBP, TIFF, HEIC, "
            "AVIF or PDF"
        ) from None
    except DAMAGE as problem:
        told = one_line(str(problem), 300)
        raise PermanentError(f"the photo is damaged: {told}; send the original again") from None


def is_cut_short(data: bytes) -> bool:
    """Tell whether a file is a JPEG that ends early, of which the beginning can be decoded."""
    return data.startswith(b"\xff\xd8\xff") and ends_early(data)


def format_of(opened: "Image.Image") -> str:
    """Return an opened photo's format, by Pillow's name of it."""
    # MPO: a JPEG file in which some phones keep a second picture.
    return "JPEG" if opened.format == "MPO" else str(opened.format)


def tells_which_way_up(opened: "Image.Image") -> bool:
    """Tell whether a photo's file says how it is to be turned, which then is done.

    That it is upright (1) says nothing: cameras that don't know write it, too.
    """
    from PIL import ExifTags

    told = opened.getexif().get(ExifTags.Base.Orientation, 1)
    # The HEIC decoder has turned the photo already.
    return told in _TURNED or opened.info.get("original_orientation") in _TURNED


def holds_these_pixels(opened: "Image.Image") -> bool:
    """Tell whether the file is a JPEG that holds exactly the pixels that we decode.

    It does not if Exif says that they are to be turned or mirrored.
    """
    from PIL import ExifTags

    if format_of(opened) != "JPEG" or opened.mode not in ("RGB", "L"):
        return False
    return bool(opened.getexif().get(ExifTags.Base.Orientation, 1) == 1)
