"""Decodes one photo in a process of its own, which may use little time and memory.

It reads the file from its standard input, and writes a line of JSON and the pixels, strip by strip,
to its standard output. Both sides take the other's bytes for what a stranger says.
"""

import json
import resource
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from imaginem.errors import PermanentError
from imaginem.images.color_profiles import ToSrgb, srgb_converter
from imaginem.images.conversion import rgb_strips
from imaginem.images.limits import (
    AHEAD_PIXELS,
    CPU_SECONDS,
    MEMORY_LIMIT_MB,
    OUT_OF_MEMORY,
    WALL_SECONDS,
    OverLimit,
)
from imaginem.images.opening import DAMAGE, format_of, holds_these_pixels, tells_which_way_up
from imaginem.images.pages import ANIMATED, opened_page
from imaginem.images.survey import is_pdf

if TYPE_CHECKING:
    from PIL import Image

_LIBRARIES_MB = 40
"""Address space of programs and libraries, most of which is never read."""


def limit_this_process(libraries_mb: int = _LIBRARIES_MB) -> None:
    """Bound what this process may use; systems other than Linux bound less of it."""
    most = (MEMORY_LIMIT_MB + libraries_mb) * 2**20
    for kind, limits in (
        (resource.RLIMIT_AS, (most, most)),
        (resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1)),
        (resource.RLIMIT_CORE, (0, 0)),
    ):
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, limits)
    # Whoever started this process ends it by then; it must not outlive one that was killed.
    signal.alarm(round(WALL_SECONDS) + 5)


def decode(data: bytes, out: BinaryIO, page: int = 1, most: int = 1) -> None:
    """Write a page's header and pixels, or why it can't be decoded.

    Frames of an animation may follow, each in the same way: to reach a frame, all before it are
    decoded, so that one for each process would take time by the square of their number.

    Args:
        data: the photo's file.
        out: is written to.
        page: the first one, from 1 on.
        most: pages that are wanted at most.
    """
    begun = False

    def begin(header: dict[str, object]) -> None:
        nonlocal begun
        begun = True
        out.write(json.dumps(header).encode() + b"\n")

    try:
        with opened_page(data, page) as (opened, count):
            ahead = _worth_ahead(opened, min(most, count - page + 1))
            _write_page(opened.copy() if ahead else opened, count, begin, out)
            for frame in range(page, page + ahead):  # its number, from 0 on, is the next page's
                if not _write_ahead(opened, frame, count, begin, out):
                    break
    except MemoryError:
        _refuse(out, begun, OUT_OF_MEMORY, "")
    except PermanentError as problem:
        # Some decoders tell that they have no memory in words, or by a number of Pillow's.
        text = str(problem)
        short = "memory" in text.lower() or "decoder error -9" in text
        kind = "limit" if isinstance(problem, OverLimit) else "damage"
        _refuse(out, begun, OUT_OF_MEMORY if short else kind, text)


def _worth_ahead(opened: "Image.Image", most: int) -> int:
    """Return how many frames to decode after the one that is open."""
    if opened.format not in ANIMATED:
        return 0
    return max(min(most, AHEAD_PIXELS // (opened.width * opened.height)) - 1, 0)


def _write_ahead(
    opened: "Image.Image",
    frame: int,
    count: int,
    begin: Callable[[dict[str, object]], None],
    out: BinaryIO,
) -> bool:
    """Write one more frame, unless too little time is left, or it is damaged: asked for, it tells.

    Returns:
        Whether it was written.
    """
    if time.process_time() > CPU_SECONDS / 2:
        return False
    try:
        opened.seek(frame)
        picture = opened.copy()
    except DAMAGE:
        return False
    _write_page(picture, count, begin, out)
    return True


def _write_page(
    opened: "Image.Image",
    count: int,
    begin: Callable[[dict[str, object]], None],
    out: BinaryIO,
) -> None:
    from PIL import ImageOps

    to_srgb = srgb_converter(opened)
    told: dict[str, object] = {
        "same_file": holds_these_pixels(opened) and to_srgb is None,
        "told_upright": tells_which_way_up(opened),
        "pages": count,
    }
    ImageOps.exif_transpose(opened, in_place=True)
    _write(opened, to_srgb, told, begin, out)


def _write(
    upright: "Image.Image",
    to_srgb: ToSrgb | None,
    more: dict[str, object],
    begin: Callable[[dict[str, object]], None],
    out: BinaryIO,
) -> None:
    profile = b"" if to_srgb else upright.info.get("icc_profile") or b""
    begin(
        {
            "width": upright.width,
            "height": upright.height,
            "format": format_of(upright),
            "profile": len(profile),
            **more,
        }
    )
    out.write(profile)
    for strip in rgb_strips(upright, to_srgb):
        out.write(strip.tobytes())


def _refuse(out: BinaryIO, begun: bool, kind: str, text: str) -> None:
    if begun:  # the reader waits for pixels: that they end early tells it enough
        sys.exit(1)
    out.write(json.dumps({"refused": kind, "text": text}).encode() + b"\n")


if __name__ == "__main__":
    limit_this_process()
    given = sys.stdin.buffer.read()
    if is_pdf(given):  # its decoder fills all the address space that it may have
        limit_this_process(libraries_mb=0)
    decode(given, sys.stdout.buffer, *map(int, sys.argv[1:]))
