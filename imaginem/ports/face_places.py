"""Where a face is in a photo's file: a box, and in files of several pages the page.

Both are kept as one box, as if the pages lay below each other, far apart. So boxes of two pages
never overlap, wherever boxes are compared: when a face was erased, and is found again.
"""

from imaginem.ports.outputs.faces import Rectangle
from imaginem.ports.suppressed_faces import Box

_APART = 10_000_000
"""Pixels from the top of a page to that of the next: a photo as high is six pixels wide at most."""

_PAGES = 100
"""Most pages of a file that are looked at: with them a place fits into the 32 bits of databases."""


def place_in_file(where: Box, page: int | None) -> Box:
    """Return a face's place in its file; on the first page it is its box."""
    left, top, width, height = where
    before = min(max(page or 1, 1), _PAGES) - 1  # a message may hold any number
    return left, top + _APART * before, width, height


def place_on_page(place: Box) -> tuple[Rectangle, int]:
    """Return the box of a face whose place in its file is known, and its page."""
    left, top, width, height = place
    page = (top + _APART // 2) // _APART + 1  # a box may begin a little above its page
    where = Rectangle(left=left, top=top - _APART * (page - 1), width=width, height=height)
    return where, page
