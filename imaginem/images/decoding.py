"""Decode photos safely: known formats only, bounded pixels, upright, once."""

import hashlib
import io
import struct
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from imaginem.errors import PermanentError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

PIXEL_LIMIT = 64_000_000
"""Pixels of a photo at most: above today's 50-megapixel phones, below what fills a worker."""
BYTE_LIMIT = 20 * 1024 * 1024
"""Bytes of a photo file at most."""
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")
"""What is decoded besides HEIF, in Pillow's names."""

# Decoders raise any of these on damaged files.
_DAMAGE = (
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
_heif_lock = threading.Lock()
_heif_ready = False


def _register_heif() -> None:
    """Teach Pillow HEIC once; the decoder is loaded here and not at import."""
    global _heif_ready
    with _heif_lock:
        if not _heif_ready:
            import pi_heif

            pi_heif.register_heif_opener()
            _heif_ready = True


def _looks_like_heif(data: bytes) -> bool:
    return data[4:8] == b"ftyp"


class Photo:
    """A decoded photo: 8-bit RGB, upright. Shared between engines, so never change it.

    Attributes:
        format: `JPEG`, `PNG`, … as the file says itself.
        sha256: of the file's bytes.
        pil: the picture.
    """

    def __init__(self, pil: "Image.Image", *, format_name: str, sha256: str) -> None:
        self.pil = pil
        self.format = format_name
        self.sha256 = sha256

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.pil.width

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.pil.height

    @cached_property
    def array(self) -> "NDArray[np.uint8]":
        """The pixels as height x width x 3, RGB, read-only."""
        import numpy as np

        pixels: NDArray[np.uint8] = np.asarray(self.pil)
        pixels.flags.writeable = False
        return pixels


def decode_photo(data: bytes) -> Photo:
    """Return the photo in a file's bytes.

    Raises:
        PermanentError: not a photo, damaged, too many bytes or pixels; says which.
    """
    from PIL import ImageOps

    with opened_photo(data) as opened:
        pil = _to_rgb(ImageOps.exif_transpose(opened))
        format_name = _format(opened)
    return Photo(pil, format_name=format_name, sha256=hashlib.sha256(data).hexdigest())


def check_photo(data: bytes) -> str:
    """Return the format of a photo's file after a look at its head; nothing is decoded.

    Raises:
        PermanentError: as of `decode_photo`, but for damage further on.
    """
    with opened_photo(data) as opened:
        return _format(opened)


@contextmanager
def opened_photo(data: bytes) -> "Iterator[Image.Image]":
    """Open a photo's file, whatever it claims to be; errors on the way become clear."""
    from PIL import Image, UnidentifiedImageError

    if len(data) > BYTE_LIMIT:
        raise PermanentError(
            f"the photo has {len(data)} bytes; the limit is {BYTE_LIMIT} (20 MB): "
            "send a smaller copy"
        )
    formats: tuple[str, ...] = FORMATS
    if _looks_like_heif(data):
        _register_heif()
        formats = ("HEIF",)
    bombs: tuple[type[BaseException], ...] = (
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    )
    try:
        with Image.open(io.BytesIO(data), formats=formats) as opened:
            _check_pixels(opened.width, opened.height)
            yield opened
    except bombs:
        raise PermanentError(_too_many_pixels("far too many")) from None
    except UnidentifiedImageError:
        raise PermanentError(
            "the file is not a photo that can be read: send JPEG, PNG, GIF, BMP, WEBP, TIFF or HEIC"
        ) from None
    except _DAMAGE as problem:
        raise PermanentError(f"the photo is damaged: {problem}; send the original again") from None


def _format(opened: "Image.Image") -> str:
    # MPO is the JPEG of phones that keep two pictures in one file.
    return "JPEG" if opened.format == "MPO" else str(opened.format)


class PhotoCache:
    """Keeps the last few photos decoded: a job's steps ask for the same one in turn.

    Args:
        pixels: of all photos that are kept, together.
    """

    def __init__(self, pixels: int = 10_000_000) -> None:
        self._limit = pixels
        self._photos: OrderedDict[str, Photo] = OrderedDict()
        self._lock = threading.Lock()

    def photo(self, key: str, read: Callable[[], bytes]) -> Photo:
        """Return a photo; errors as of `read` and of `decode_photo`.

        Args:
            key: says which photo it is: the same key, the same photo.
            read: returns the file's bytes; called when the photo is not at hand.
        """
        with self._lock:
            if key in self._photos:
                self._photos.move_to_end(key)
                return self._photos[key]
        photo = decode_photo(read())
        with self._lock:
            self._photos[key] = photo
            while sum(kept.width * kept.height for kept in self._photos.values()) > self._limit:
                self._photos.popitem(last=False)
        return photo


def _check_pixels(width: int, height: int) -> None:
    if width * height > PIXEL_LIMIT:
        raise PermanentError(_too_many_pixels(f"{width}x{height}"))


def _too_many_pixels(size: str) -> str:
    return (
        f"the photo has {size} pixels; the limit is {PIXEL_LIMIT // 1_000_000} megapixels: "
        "send a smaller copy"
    )


def _to_rgb(picture: "Image.Image") -> "Image.Image":
    """Return 8-bit RGB; what is transparent becomes white, 16-bit grey is scaled."""
    from PIL import Image

    if picture.mode.startswith("I") or picture.mode == "F":
        shades = picture.convert("F")
        _, brightest = cast(tuple[float, float], shades.getextrema())  # one band
        top = max(brightest, 255.0)
        return shades.point(lambda value: value * (255.0 / top)).convert("L").convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layered = picture.convert("RGBA")
        paper = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(paper, layered).convert("RGB")
    return picture if picture.mode == "RGB" and _is_plain(picture) else picture.convert("RGB")


def _is_plain(picture: Any) -> bool:
    """Tell whether the picture is loaded and no longer tied to the open file."""
    from PIL import Image

    return type(picture) is Image.Image


def encode_png(picture: "Image.Image") -> bytes:
    """Return a picture as a PNG file."""
    out = io.BytesIO()
    picture.save(out, format="PNG")
    return out.getvalue()
