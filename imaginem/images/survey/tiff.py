"""Counts the pages, tags, strips and tiles of a TIFF file (TIFF 6.0; BigTIFF)."""

import struct
from dataclasses import dataclass

from imaginem.images.limits import (
    FRAME_LIMIT,
    PAGE_LIMIT,
    PART_LIMIT,
    PARTS_IN_PLACE,
    OverLimit,
    check_metadata,
    check_pixels,
    too_many,
)

TIFF_STARTS = (b"MM\0*", b"II*\0", b"MM*\0", b"II\0*", b"MM\0+", b"II+\0")
_TAG_LIMIT = 4_096
_SURVEYED_PAGES = 2 * PAGE_LIMIT
"""Most pages that are surveyed; smaller copies of pages are among them, and are not looked at."""
_SUBFILE = 254
_NO_PAGE = 1 | 4  # bits of it: a smaller copy of a page, a mask
_WIDTH, _HEIGHT, _COMPRESSION, _STRIPS, _TILES, _PROFILE = 256, 257, 259, 273, 324, 34_675
_NUMBERS = {3: "H", 4: "L", 16: "Q"}  # types of one number
# None, fax, LZW, deflate twice, PackBits: others have decoders that unfold what they like.
_PLAIN = frozenset({1, 2, 3, 4, 5, 8, 32_946, 32_773})


@dataclass(frozen=True)
class _Layout:
    """How a file writes numbers: byte order, and sizes that BigTIFF has doubled."""

    order: str
    count: str
    tag: str
    offset: str

    def number(self, data: bytes, kind: str, at: int) -> int:
        (value,) = struct.unpack_from(self.order + kind, data, at)
        return int(value)


def survey_tiff(data: bytes) -> bool:
    """Tell whether the pages of a TIFF file are plain enough to be decoded in this process.

    Raises:
        OverLimit: there are too many pages, or too many tags, strips, tiles or pixels on the first.
    """
    layout, at = _beginning(data)
    plain = _survey_page(data, layout, at)
    later = _pages(data, layout, at)[1:]
    few = len(later) < _SURVEYED_PAGES
    return plain and few and all(_is_plain(data, layout, at) for at in later)


def tiff_pages(data: bytes) -> list[int]:
    """Return which of a TIFF file's pictures are pages, from 0 on: not smaller copies, not masks.

    Raises:
        OverLimit: as of `survey_tiff`.
    """
    layout, first = _beginning(data)
    kinds = [_kind(data, layout, at) for at in _pages(data, layout, first)]
    return [number for number, kind in enumerate(kinds) if not kind & _NO_PAGE] or [0]


def _kind(data: bytes, layout: _Layout, at: int) -> int:
    """Return what kind of picture one is; its tag is the first, since tags are sorted."""
    header = struct.Struct(layout.order + layout.tag)
    try:
        place = at + struct.calcsize(layout.order + layout.count)
        tag, kind, length = header.unpack_from(data, place)
        if tag == _SUBFILE and kind in _NUMBERS and length == 1:
            return layout.number(data, _NUMBERS[kind], place + header.size)
    except (struct.error, OverflowError):
        pass
    return 0


def _beginning(data: bytes) -> tuple[_Layout, int]:
    """Return how a file writes numbers, and where its first picture is told of."""
    order = "<" if data.startswith(b"II") else ">"
    big = b"+" in data[2:4]
    layout = _Layout(order, "Q", "HHQ", "Q") if big else _Layout(order, "H", "HHL", "L")
    return layout, layout.number(data, layout.offset, 8 if big else 4)


def _is_plain(data: bytes, layout: _Layout, at: int) -> bool:
    """Tell whether a later page is plain; one that is over a limit is refused when it is read."""
    try:
        return _survey_page(data, layout, at)
    except (OverLimit, struct.error, OverflowError):
        return False


def _survey_page(data: bytes, layout: _Layout, at: int) -> bool:
    """Tell whether a page is plain."""
    number_size = struct.calcsize(layout.order + layout.count)
    count = _tag_count(data, layout, at)
    header = struct.Struct(layout.order + layout.tag)
    value_size = struct.calcsize(layout.order + layout.offset)
    numbers: dict[int, int] = {}
    parts = 0
    for place in range(at + number_size, at + number_size + count * _step(layout), _step(layout)):
        tag, kind, length = header.unpack_from(data, place)
        if tag in (_STRIPS, _TILES):
            parts = max(parts, length)
        if tag == _PROFILE:
            check_metadata(length, "colour profile")
        fits = kind in _NUMBERS and struct.calcsize("=" + _NUMBERS[kind]) <= value_size
        if fits and length == 1:
            value = layout.number(data, _NUMBERS[kind], place + header.size)
            numbers.setdefault(tag, value)  # Pillow takes the first of several, too
    if parts > PART_LIMIT:
        raise too_many(parts, "strips or tiles", PART_LIMIT)
    check_pixels(numbers.get(_WIDTH, 0), numbers.get(_HEIGHT, 0))
    return parts <= PARTS_IN_PLACE and numbers.get(_COMPRESSION, 1) in _PLAIN


def _step(layout: _Layout) -> int:
    return struct.calcsize(layout.order + layout.tag + layout.offset)


def _tag_count(data: bytes, layout: _Layout, at: int) -> int:
    count = layout.number(data, layout.count, at)
    if count > _TAG_LIMIT:
        raise too_many(count, "tags", _TAG_LIMIT)
    return count


def _pages(data: bytes, layout: _Layout, first: int) -> list[int]:
    """Return where the pages are, up to the last one, or to one that was seen before.

    Raises:
        OverLimit: there are too many, or a page has too many tags.
    """
    seen: dict[int, None] = {}
    at = first
    number_size = struct.calcsize(layout.order + layout.count)
    while at and at not in seen:
        if len(seen) == FRAME_LIMIT:
            raise too_many(f"more than {FRAME_LIMIT:,}", "pages", FRAME_LIMIT)
        try:
            end = at + number_size + _tag_count(data, layout, at) * _step(layout)
            seen[at] = None
            at = layout.number(data, layout.offset, end)
        except (struct.error, OverflowError):  # damaged; the pages before are what is decoded
            break
    return list(seen)
