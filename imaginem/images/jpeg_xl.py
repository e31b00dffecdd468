"""Decode JPEG XL files (ISO/IEC 18181), where the package for it is installed."""

from typing import TYPE_CHECKING

from imaginem.errors import PermanentError
from imaginem.images.limits import check_pixels

if TYPE_CHECKING:
    from PIL import Image

FORMAT = "JXL"


def decoded_jpeg_xl(data: bytes) -> "Image.Image":
    """Return the picture in a JPEG XL file, upright, of an animation the first frame.

    It is decoded by C++ code that must not break this process: call it in one made for that.

    Raises:
        OverLimit: it has too many pixels, as the header says.
        PermanentError: it is damaged, or the package is not installed.
    """
    try:
        import pylibjxl
    except ImportError:
        raise PermanentError(
            "JPEG XL files can't be read here: `pip install pylibjxl` on the machines that run "
            "the steps, or send the photo as JPEG"
        ) from None
    from PIL import Image

    try:
        told = pylibjxl.probe(data)
        check_pixels(told["width"], told["height"])
        with pylibjxl.JXL(threads=1, pool_size=1) as decoder:
            pixels, more = decoder.decode(data, metadata=True)
    except (RuntimeError, ValueError) as problem:
        raise PermanentError(f"the photo is damaged: {problem}; send the original again") from None
    picture = Image.fromarray(pixels.squeeze())
    picture.format = FORMAT
    if profile := more.get("icc_profile") or more.get("icc"):
        picture.info["icc_profile"] = bytes(profile)
    return picture
