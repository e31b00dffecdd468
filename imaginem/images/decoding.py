"""Decode photos safely: known formats only, with a limit of bytes and pixels, turned upright."""

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
"""Most pixels of a photo: more than phones of 50 megapixels take, less than fills a worker."""
BYTE_LIMIT = 20 * 1024 * 1024
"""Most bytes of a photo file."""
BYTE_LIMIT_MB = BYTE_LIMIT // 2**20
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")
"""The formats that are decoded besides HEIF, by Pillow's names."""

# Pillow's decoders raise any of these on damaged files.
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
    """Register the HEIC decoder with Pillow, once; it is loaded here and not at import."""
    global _heif_ready
    with _heif_lock:
        if not _heif_ready:
            import pi_heif

            pi_heif.register_heif_opener()
            _heif_ready = True


def _looks_like_heif(data: bytes) -> bool:
    return data[4:8] == b"ftyp"


class Photo:
    """A decoded photo: 8-bit RGB, upright. Engines share it, so never change it.

    Attributes:
        format: format of the file, such as `JPEG`, found by its content.
        sha256: of the file's bytes, as hex.
        pil: the pixels, as a Pillow image.
        same_file: a JPEG file that holds exactly these pixels, metadata included; empty if the
            photo's own file does not, being of another format or turned by its Exif orientation.
    """

    def __init__(
        self, pil: "Image.Image", *, format_name: str, sha256: str, same_file: bytes = b""
    ) -> None:
        self.pil = pil
        self.format = format_name
        self.sha256 = sha256
        self.same_file = same_file

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
        PermanentError: the file is not a photo, is damaged, or has too many bytes or pixels.
    """
    from PIL import ImageOps

    with opened_photo(data) as opened:
        pil = _to_rgb(ImageOps.exif_transpose(opened))
        format_name = _format(opened)
        as_it_is = format_name == "JPEG" and opened.mode in ("RGB", "L") and not _is_turned(opened)
    return Photo(
        pil,
        format_name=format_name,
        sha256=hashlib.sha256(data).hexdigest(),
        same_file=data if as_it_is else b"",
    )


def check_photo(data: bytes) -> str:
    """Return the format of a photo's file, from its header; the pixels are not decoded.

    Raises:
        PermanentError: as of `decode_photo`, but damage after the header is not noticed.
    """
    with opened_photo(data) as opened:
        return _format(opened)


@contextmanager
def opened_photo(data: bytes) -> "Iterator[Image.Image]":
    """Open a photo's file; errors of the decoder in the `with` block become `PermanentError`.

    Raises:
        PermanentError: as of `decode_photo`.
    """
    from PIL import Image, UnidentifiedImageError

    if len(data) > BYTE_LIMIT:
        raise PermanentError(
            f"the photo has {len(data)} bytes; the limit is {BYTE_LIMIT} ({BYTE_LIMIT_MB} MB): "
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
    # MPO: a JPEG file in which some phones keep a second picture.
    return "JPEG" if opened.format == "MPO" else str(opened.format)


def _is_turned(opened: "Image.Image") -> bool:
    """Tell whether Exif says that the pixels are to be turned or mirrored."""
    from PIL import ExifTags

    return bool(opened.getexif().get(ExifTags.Base.Orientation, 1) != 1)


class PhotoCache:
    """Keeps the last few decoded photos, since a job's steps ask for the same one in turn.

    Args:
        pixels: most pixels of all the photos together.
    """

    def __init__(self, pixels: int = 10_000_000) -> None:
        self._limit = pixels
        self._photos: OrderedDict[str, Photo] = OrderedDict()
        self._lock = threading.Lock()

    def photo(self, key: str, read: Callable[[], bytes]) -> Photo:
        """Return a photo from the cache, or read and decode it.

        Args:
            key: identifies the photo: the same key must mean the same photo.
            read: returns the file's bytes; called when the photo is not in the cache.

        Raises:
            PermanentError: as of `decode_photo`; `read` may raise other errors.
        """
        with self._lock:
            if key in self._photos:
                self._photos.move_to_end(key)
                return self._photos[key]
        photo = decode_photo(read())
        with self._lock:
            self._photos[key] = photo
            while sum(map(_pixels, self._photos.values())) > self._limit:
                self._photos.popitem(last=False)
        return photo


def _pixels(photo: Photo) -> int:
    return photo.width * photo.height


def _check_pixels(width: int, height: int) -> None:
    if width * height > PIXEL_LIMIT:
        raise PermanentError(_too_many_pixels(f"{width}x{height}"))


def _too_many_pixels(size: str) -> str:
    return (
        f"the photo has {size} pixels; the limit is {PIXEL_LIMIT // 1_000_000} megapixels: "
        "send a smaller copy"
    )


def _to_rgb(picture: "Image.Image") -> "Image.Image":
    """Return 8-bit RGB: transparent pixels become white, 16-bit grey is scaled to 8 bits."""
    from PIL import Image

    if picture.mode.startswith("I") or picture.mode == "F":
        grey = picture.convert("F")
        _, brightest = cast(tuple[float, float], grey.getextrema())  # one band: one pair
        white = max(brightest, 255.0)
        return grey.point(lambda value: value * (255.0 / white)).convert("L").convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        foreground = picture.convert("RGBA")
        background = Image.new("RGBA", foreground.size, "white")
        return Image.alpha_composite(background, foreground).convert("RGB")
    return picture if picture.mode == "RGB" and _is_plain(picture) else picture.convert("RGB")


def _is_plain(picture: Any) -> bool:
    """Tell whether the picture is in memory and no longer reads from the open file."""
    from PIL import Image

    return type(picture) is Image.Image


def encode_png(picture: "Image.Image") -> bytes:
    """Return a picture as a PNG file."""
    out = io.BytesIO()
    picture.save(out, format="PNG")
    return out.getvalue()
