"""How much a photo may ask for, and the refusal of one that asks for more."""

from imaginem.errors import PermanentError

FILE_ENDINGS = (
    *(".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"),
    *(".heic", ".heif", ".avif", ".jxl", ".pdf"),
    *(".jfif", ".jpe", ".jif", ".jfi", ".pjpeg", ".pjp", ".mpo", ".apng"),
    *(".hif", ".avifs"),
)
"""How names of files end that are taken from a folder, and may be chosen on pages.

The last two lines are less usual names of the same formats. Formats that only share a decoder's
name, such as `.dib` and `.ico`, are not decoded.
"""
PIXEL_LIMIT = 64_000_000
"""Most pixels of a photo: more than phones of 50 megapixels take, less than fills a worker."""
BYTE_LIMIT = 20 * 1024 * 1024
"""Most bytes of a photo file."""
BYTE_LIMIT_MB = BYTE_LIMIT // 2**20
SCAN_LIMIT = 100
"""Most scans of a JPEG file: encoders write up to about twenty."""
FRAME_LIMIT = 1_000
"""Most frames of an animation, or pages of a TIFF file."""
PAGE_LIMIT = 100
"""Most pages of a file that are looked at, the first ones of it."""
AHEAD_PIXELS = 8_000_000
"""Most pixels of the frames of an animation that are decoded together, and wait for their turn."""
PAGE_PIXELS = 16_000_000
"""Most pixels that a page of a PDF file is rendered with; A4 at 200 dots an inch has 4 million."""
PART_LIMIT = 100_000
"""Most strips or tiles of a TIFF file: a row a strip, in each of three colours, is still fine."""
TILE_LIMIT = 2_000
"""Most items of a HEIC file: 64 megapixels in tiles of 256 x 256 are a thousand."""
METADATA_LIMIT = 4 * 2**20
"""Most bytes of Exif, of Photoshop's data, or of a colour profile."""

PIXELS_IN_PLACE = 24_000_000
SCANS_IN_PLACE = 30
PARTS_IN_PLACE = 10_000
PROFILE_IN_PLACE = 4_096
"""What is over these four is decoded in a process of its own, with the two limits below. The last
one are bytes of a colour profile: those of cameras and screens have some hundreds, large tables of
printers break colour management most easily."""
MEMORY_LIMIT_MB = 600
CPU_SECONDS = 4
WALL_SECONDS = 60.0
"""How long that process may take where it waits for others; its own time is the one above."""
OUT_OF_MEMORY = "memory"
"""How a child process says that the first of the two was not enough."""


class OverLimit(PermanentError):
    """A photo would cost more to decode than one photo may."""


def too_many(count: int | str, what: str, limit: int) -> OverLimit:
    """Return the refusal of a photo with too many of something.

    Args:
        count: how many there are; `more than 100` if they were not counted to the end.
        what: is counted.
        limit: how many there may be.
    """
    told = f"{count:,}" if isinstance(count, int) else count
    return OverLimit(
        f"the photo has {told} {what}; the limit is {limit:,}: save it again as a plain JPEG or PNG"
    )


def too_many_pixels(size: str) -> OverLimit:
    """Return the refusal of a photo with too many pixels.

    Args:
        size: how many there are, such as `9000x8000`.
    """
    return OverLimit(
        f"the photo has {size} pixels; the limit is {PIXEL_LIMIT // 1_000_000} megapixels: "
        "send a smaller copy"
    )


def check_bytes(data: bytes) -> None:
    """Check that a photo's file has not too many bytes.

    Raises:
        OverLimit: it has.
    """
    if len(data) > BYTE_LIMIT:
        raise OverLimit(
            f"the photo has {len(data)} bytes; the limit is {BYTE_LIMIT} ({BYTE_LIMIT_MB} MB): "
            "send a smaller copy"
        )


def check_pixels(width: int, height: int) -> None:
    """Check that a photo has not too many pixels.

    Raises:
        OverLimit: it has.
    """
    if width * height > PIXEL_LIMIT:
        raise too_many_pixels(f"{width}x{height}")


def check_memory(size: int) -> None:
    """Check that a photo does not need too much memory.

    Args:
        size: bytes that its decoder takes at least.

    Raises:
        OverLimit: it does.
    """
    if size > MEMORY_LIMIT_MB * 2**20:
        raise out_of_memory()


def out_of_memory() -> OverLimit:
    """Return the refusal of a photo that needs too much memory."""
    return OverLimit(
        f"the photo takes more than {MEMORY_LIMIT_MB} MB to decode; that is the limit: "
        "send a smaller copy"
    )


def check_metadata(size: int, what: str) -> None:
    """Check that what a file tells besides its picture is not too long.

    Raises:
        OverLimit: it is.
    """
    if size > METADATA_LIMIT:
        raise OverLimit(
            f"the photo has {size:,} bytes of {what}; the limit is {METADATA_LIMIT:,}: "
            "save it without them"
        )
