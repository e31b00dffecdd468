"""Decode photos safely: known formats only, bounded in every way, turned upright."""

import hashlib
import io
import threading
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

from imaginem.errors import PermanentError
from imaginem.images.apart import Decoded, decode_pages_apart
from imaginem.images.color_profiles import has_plain_profile, srgb_converter
from imaginem.images.conversion import Pixels, rgb_pixels
from imaginem.images.limits import PAGE_LIMIT, PIXELS_IN_PLACE, check_bytes
from imaginem.images.opening import (
    format_of,
    holds_these_pixels,
    is_cut_short,
    opened_photo,
    tells_which_way_up,
)
from imaginem.images.pages import opened_counted_page
from imaginem.images.survey import opened_apart, survey
from imaginem.images.survey.tiff import TIFF_STARTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

DECODES_AT_ONCE = 2
"""Photos that a process decodes at once: as many as a worker has threads."""
_slots = threading.BoundedSemaphore(DECODES_AT_ONCE)
FoundT = TypeVar("FoundT")


class Photo:
    """A decoded photo: 8-bit sRGB, upright. Engines share it, so never change it.

    The pixels are kept once, three bytes each; what is made of them is the caller's.

    Attributes:
        pixels: what is kept of the picture.
        format: format of the file, such as `JPEG`, found by its content.
        sha256: of the file's bytes, as hex.
        same_file: a JPEG file that holds exactly these pixels, metadata included; empty if the
            photo's own file does not, being of another format or turned by its Exif orientation.
        ends_early: the file is a JPEG that lacks its end; what is missing of the photo is grey.
        page: which of the file's pages this is, from 1 on; None if the file has but one.
        page_count: how many pages the file has.
        told_upright: whether its file told how it was to be turned.
        unread_pages: numbers of the file's pages that `pages` met, and that can't be decoded.
    """

    def __init__(
        self,
        pixels: Pixels,
        *,
        format_name: str,
        sha256: str,
        same_file: bytes = b"",
        ends_early: bool = False,
        page: int = 1,
        page_count: int = 1,
        file: bytes = b"",
        told_upright: bool = False,
    ) -> None:
        self.pixels = pixels
        self.format = format_name
        self.sha256 = sha256
        self.same_file = same_file
        self.ends_early = ends_early
        self.page = page if page_count > 1 else None
        self.page_count = page_count
        self._file = file  # of several pages, from which the others are decoded
        self.told_upright = told_upright
        self.unread_pages: set[int] = set()
        self._found: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._ahead: dict[int, Photo] = {}
        self._turning = threading.Lock()

    def once(self, what: str, find: Callable[[], FoundT]) -> FoundT:
        """Return what engines found out about the photo together: the first one, kept with it.

        Args:
            what: names it.
            find: finds it out; others that want it wait.
        """
        with self._lock:
            if what not in self._found:
                self._found[what] = find()
            found: FoundT = self._found[what]
            return found

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.pixels.width

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.pixels.height

    @property
    def key(self) -> str:
        """A text that is the same for the same page of the same file alone."""
        return self.sha256 if self.page in (None, 1) else f"{self.sha256}-{self.page}"

    @property
    def page_numbers(self) -> range:
        """The numbers of the file's pages, the first hundred at most."""
        return range(1, min(self.page_count, PAGE_LIMIT) + 1)

    def pages(self) -> "Iterator[Photo]":
        """Return the pages of the file, the first hundred at most, one after the other.

        Each is decoded when its turn comes, and nothing here keeps it. One that is damaged, or over
        a limit, is left out and told in `unread_pages`: it is to cost none of the others.

        Raises:
            RetryableError: as of `decode_photo`.
        """
        for number in self.page_numbers:
            try:
                photo = self.on_page(number)
            except PermanentError:
                self.unread_pages.add(number)
            else:
                yield photo

    def on_page(self, number: int | None) -> "Photo":
        """Return a page of the file, decoded; None is the first one.

        Raises:
            OverLimit, PermanentError, RetryableError: as of `decode_photo`.
        """
        # Frames of an animation come several at once; those after this one wait here.
        number = number or 1
        if number == (self.page or 1):
            return self
        with self._turning:
            if number not in self._ahead:
                self._ahead = dict(enumerate(decode_pages(self._file, number), number))
            return self._ahead.pop(number)

    @cached_property
    def array(self) -> "NDArray[np.uint8]":
        """The pixels as height x width x 3, RGB, read-only."""
        import numpy as np

        view: NDArray[np.uint8] = np.frombuffer(self.pixels.data, np.uint8)
        view = view.reshape(self.height, self.width, 3)
        view.flags.writeable = False
        return view

    @property
    def pil(self) -> "Image.Image":
        """The pixels as a Pillow image, made anew each time: it takes four bytes a pixel."""
        return self._rows(0, self.height)

    def crop(self, box: tuple[int, int, int, int], degrees: int = 0) -> "Image.Image":
        """Return a part; only its rows are copied.

        Args:
            box: left, top, right and bottom, as of Pillow; within the photo.
            degrees: by which the part is turned clockwise: 0, 90, 180 or 270.
        """
        left, top, right, bottom = box
        part = self._rows(top, bottom).crop((left, 0, right, bottom - top))
        return part.rotate(-degrees, expand=True) if degrees else part

    def _rows(self, top: int, bottom: int) -> "Image.Image":
        from PIL import Image

        row = self.width * 3
        part = memoryview(self.pixels.data)[top * row : bottom * row]  # not copied
        # Pillow takes every buffer; its types name two.
        rows = Image.frombytes("RGB", (self.width, bottom - top), cast(bytearray, part))
        rows.info = dict(self.pixels.info)
        return rows


def decode_photo(data: bytes, page: int = 1) -> Photo:
    """Return the photo in a file's bytes; of a file of several pages one of them.

    What is large or unusual is decoded in a process of its own. While as many photos as may are
    decoded in this process, it waits.

    Raises:
        OverLimit: it has too many bytes, pixels, scans, frames, strips or tiles, or takes too much
            time or memory to decode.
        PermanentError: the file is not a photo, is damaged or encrypted, or has no such page.
        RetryableError: this machine has no room for it now.
    """
    return _decode(data, page, 1)[0]


def decode_pages(data: bytes, page: int) -> list[Photo]:
    """Return a page, and of an animation those after it that are best decoded with it.

    Raises:
        OverLimit, PermanentError, RetryableError: as of `decode_photo`, by the page itself.
    """
    return _decode(data, page, max(PAGE_LIMIT - page + 1, 1))


def _decode(data: bytes, page: int, most: int) -> list[Photo]:
    check_bytes(data)
    # A later frame of an animation is made of all frames before it.
    plain = survey(data) and (page == 1 or data.startswith(TIFF_STARTS))
    with _slots:
        here = _decode_in_place(data, page) if plain else None
        if here is not None:
            return [here]
        apart = decode_pages_apart(data, page, most)
        return [_photo(data, decoded, number) for number, decoded in enumerate(apart, page)]


def _decode_in_place(data: bytes, page: int) -> Photo | None:
    """Return the photo; None if it has too many pixels, or too long a profile, for this process."""
    from PIL import ImageOps

    with opened_counted_page(data, page) as (opened, count):
        if opened.width * opened.height > PIXELS_IN_PLACE or not has_plain_profile(opened):
            return None
        to_srgb = srgb_converter(opened)
        same_file = holds_these_pixels(opened) and to_srgb is None
        told = tells_which_way_up(opened)
        ImageOps.exif_transpose(opened, in_place=True)
        decoded = Decoded(rgb_pixels(opened, to_srgb), format_of(opened), same_file, told, count)
        return _photo(data, decoded, page)


def _photo(data: bytes, decoded: Decoded, page: int) -> Photo:
    digest = hashlib.sha256(data).hexdigest()
    ends_early = is_cut_short(data)
    return Photo(
        decoded.pixels,
        format_name=decoded.format,
        sha256=digest,
        same_file=data if decoded.same_file and not ends_early else b"",
        ends_early=ends_early,
        page=page,
        page_count=decoded.pages,
        file=data if decoded.pages > 1 else b"",
        told_upright=decoded.told_upright,
    )


def check_photo(data: bytes) -> str:
    """Return the format of a photo's file, from its header; the pixels are not decoded.

    Raises:
        PermanentError: as of `decode_photo`, but damage after the header is not noticed.
    """
    if name := opened_apart(data):  # where it can do no harm, when its pixels are wanted
        check_bytes(data)
        return name
    with opened_photo(data) as opened:
        return format_of(opened)


def encode_png(picture: "Image.Image") -> bytes:
    """Return a picture as a PNG file."""
    out = io.BytesIO()
    picture.save(out, format="PNG", compress_level=1)  # six times as fast, a tenth larger
    return out.getvalue()
