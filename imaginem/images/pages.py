"""Pages of a photo's file: TIFF and PDF files may have several, and animations have frames."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from imaginem.errors import PermanentError
from imaginem.images.jpeg_xl import decoded_jpeg_xl
from imaginem.images.limits import FRAME_LIMIT, PAGE_PIXELS, check_bytes, check_pixels, too_many
from imaginem.images.opening import opened_counted
from imaginem.images.survey import is_jpeg_xl, is_pdf, survey
from imaginem.images.survey.pages import png_frames
from imaginem.images.survey.tiff import tiff_pages

if TYPE_CHECKING:
    from PIL import Image

ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
"""Formats of which each frame is a page, by Pillow's names; most of their files have one."""
_PROFILE = 34_675  # ICC.1, annex B
_POINTS = 72.0  # an inch of a PDF file
_DOTS = 200.0  # an inch of a rendered page: letters of 10 points are 28 pixels high


@contextmanager
def opened_page(data: bytes, page: int) -> "Iterator[tuple[Image.Image, int]]":
    """Open a page of a photo's file, from 1 on; return it and how many there are.

    Errors of the decoder in the `with` block become `PermanentError`. PDF files are opened by C++
    code that must not break this process: call it in one that is made for that.

    Raises:
        OverLimit: as of `opened_photo`; or there are too many pages.
        PermanentError: it is no photo, is damaged or encrypted, or has no such page.
    """
    check_bytes(data)
    if is_pdf(data):
        yield _rendered(data, page)
        return
    if is_jpeg_xl(data):
        _check_page(page, 1)
        yield decoded_jpeg_xl(data), 1
        return
    survey(data)
    with opened_counted_page(data, page) as opened:
        yield opened


@contextmanager
def opened_counted_page(data: bytes, page: int) -> "Iterator[tuple[Image.Image, int]]":
    """Open a page of a file that `survey` has seen, and that is no PDF; see `opened_page`."""
    with opened_counted(data) as opened:
        frames = _frames(data, opened)
        _check_page(page, len(frames))
        if opened.format in ("TIFF", *ANIMATED):
            opened.seek(frames[page - 1])
            check_pixels(opened.width, opened.height)
            if opened.format == "TIFF" and _PROFILE not in getattr(opened, "tag_v2", {}):
                opened.info.pop("icc_profile", None)  # Pillow keeps that of another page
        yield opened, len(frames)


def _check_page(page: int, count: int) -> None:
    if not 1 <= page <= count:
        raise PermanentError(f"the photo's file has no page {page}, but {count} in all")


def _frames(data: bytes, opened: "Image.Image") -> Sequence[int]:
    """Return which frames are pages, from 0 on; of a damaged file those before the damage."""
    if opened.format == "TIFF":
        return tiff_pages(data)
    count = getattr(opened, "n_frames", 1) if opened.format in ANIMATED else 1
    if opened.format == "PNG" and count > 1:  # it is what the file says, not what it has
        count = min(count, png_frames(data))
    return range(min(max(count, 1), FRAME_LIMIT))


def _rendered(data: bytes, page: int) -> "tuple[Image.Image, int]":
    """Return a page of a PDF file as a picture, and how many pages there are."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
        count = len(document)
        if count > FRAME_LIMIT:
            raise too_many(count, "pages", FRAME_LIMIT)
        _check_page(page, count)
        sheet = document[page - 1]
        picture = sheet.render(scale=_scale(*sheet.get_size()), may_draw_forms=False).to_pil()
    except pypdfium2.PdfiumError as problem:
        if "password" in str(problem).lower():
            raise PermanentError(
                "the PDF is encrypted: save it without a password, then send that"
            ) from None
        raise PermanentError("the PDF is damaged: send the original again") from None
    picture.format = "PDF"
    return picture, count


def _scale(width: float, height: float) -> float:
    """Return how many pixels a point becomes, so that a page of any size stays within bounds."""
    if not (math.isfinite(width * height) and width > 0 and height > 0):
        raise PermanentError("the PDF is damaged: a page has no size; send the original again")
    most = math.sqrt(PAGE_PIXELS / (width * height))
    scale = min(_DOTS / _POINTS, most)
    check_pixels(math.ceil(width * scale), math.ceil(height * scale))
    return scale
