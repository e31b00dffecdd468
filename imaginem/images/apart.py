"""Decode a photo in a child process, one at a time: what costs much can't harm this process."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from typing import Any, cast

from imaginem.errors import PermanentError, RetryableError
from imaginem.images.conversion import Pixels
from imaginem.images.limits import (
    AHEAD_PIXELS,
    CPU_SECONDS,
    FRAME_LIMIT,
    OUT_OF_MEMORY,
    WALL_SECONDS,
    OverLimit,
    check_pixels,
    out_of_memory,
)

_HEADER_LIMIT = 10_000
# What a decoder may know of us: no address, no key.
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
_CRASHES = tuple(
    -number
    for number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE)
)
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Decoded:
    """A decoded photo, as a child returned it.

    Attributes:
        pixels: upright.
        format: as of `format_of`.
        same_file: as of `holds_these_pixels`.
        told_upright: as of `tells_which_way_up`.
        pages: how many the file has.
    """

    pixels: Pixels
    format: str
    same_file: bool
    told_upright: bool
    pages: int = 1


def decode_apart(data: bytes, page: int = 1) -> Decoded:
    """Decode a page of a photo in a child process; wait while another one is decoded so.

    Raises:
        OverLimit, PermanentError, RetryableError: as of `decode_pages_apart`.
    """
    return decode_pages_apart(data, page, 1)[0]


def decode_pages_apart(data: bytes, page: int, most: int) -> list[Decoded]:
    """Decode a page, and of an animation some after it, which is cheaper than one by one.

    Args:
        data: the photo's file.
        page: the first one, from 1 on.
        most: pages that are wanted at most.

    Raises:
        OverLimit: it takes too much time or memory.
        PermanentError: it can't be decoded.
        RetryableError: this machine has no room or no time for it now.
    """
    with _one_at_a_time:
        return follow_pages(start_child(page, most), data, most)


def start_child(page: int = 1, most: int = 1) -> "subprocess.Popen[bytes]":
    """Start a process that decodes pages of the photo that it will be given.

    Raises:
        RetryableError: it does not start.
    """
    try:
        return subprocess.Popen(  # noqa: S603 - of what is ours: numbers
            [sys.executable, "-m", "imaginem.images.child", str(page), str(most)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
        )
    except OSError as problem:
        raise RetryableError(
            f"the process that decodes photos apart did not start: {problem}"
        ) from None


def _environment() -> Mapping[str, str]:
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    # One heap for all threads: each further one would reserve 64 MB of the address space.
    return {**kept, "PYTHONPATH": os.pathsep.join(sys.path), "MALLOC_ARENA_MAX": "1"}


def follow(
    process: "subprocess.Popen[bytes]", data: bytes, seconds: float = WALL_SECONDS
) -> Decoded:
    """Give a child its photo, and read its page; as `follow_pages`."""
    return follow_pages(process, data, 1, seconds)[0]


def follow_pages(
    process: "subprocess.Popen[bytes]", data: bytes, most: int, seconds: float = WALL_SECONDS
) -> list[Decoded]:
    """Give a child its photo, and read what it makes of it; then it has ended.

    Args:
        process: the child.
        data: the photo's file.
        most: pages that it was asked for.
        seconds: that it may take.

    Raises:
        OverLimit, PermanentError, RetryableError: as of `decode_apart`.
    """
    late = threading.Event()

    def kill() -> None:
        late.set()
        process.kill()

    watch = threading.Timer(seconds, kill)
    watch.start()
    try:
        with process:
            assert process.stdin is not None and process.stdout is not None  # noqa: S101 - pipes
            with suppress(BrokenPipeError):  # it died: its answer, or none, tells why
                process.stdin.write(data)
                process.stdin.close()
            try:
                return _read_pages(cast(BufferedReader, process.stdout), most)
            except EOFError:
                process.kill()
    finally:
        watch.cancel()
    raise _reason(process.wait(), late.is_set())


def _reason(code: int, late: bool) -> Exception:
    """Return why a child ended before its answer did."""
    if late:
        return RetryableError("decoding the photo waited too long for this machine: try it later")
    if code == -signal.SIGXCPU:
        return OverLimit(
            f"the photo takes more than {CPU_SECONDS} s to decode; that is the limit: "
            "save it again as a plain JPEG or PNG"
        )
    if code in _CRASHES:
        return PermanentError(
            "the photo is damaged: it breaks the decoder; send the original again"
        )
    if code < 0:  # somebody ended it: a system without memory, or one that shuts down
        return RetryableError(
            f"the process that decodes the photo was ended by signal {-code}, perhaps since this "
            "machine has too little memory: try it later"
        )
    return out_of_memory()


def _read_pages(answer: BufferedReader, most: int) -> list[Decoded]:
    """Read the first page, and those that follow it whole, within what they may take of memory.

    Raises:
        EOFError: the first one ends early.
    """
    pages = [_read(answer)]
    left = AHEAD_PIXELS
    with suppress(EOFError):
        while len(pages) < most:
            left -= pages[-1].pixels.width * pages[-1].pixels.height
            if left <= 0:
                break
            pages.append(_read(answer))
    return pages


def _read(answer: BufferedReader) -> Decoded:
    """Read a child's answer.

    Raises:
        EOFError: it ends early.
    """
    header = _header(answer)
    if header["refused"] == OUT_OF_MEMORY:
        raise out_of_memory()
    if header["refused"]:
        kind = OverLimit if header["refused"] == "limit" else PermanentError
        raise kind(header["text"])
    width, height = header["width"], header["height"]
    check_pixels(width, height)
    profile = _exactly(answer, header["profile"])
    info = {"icc_profile": profile} if profile else {}
    data = bytearray(width * height * 3)
    _fill(data, answer)
    pixels = Pixels(width, height, data, info)
    return Decoded(
        pixels, header["format"], header["same_file"], header["told_upright"], header["pages"]
    )


def _header(answer: BufferedReader) -> dict[str, Any]:
    line = answer.readline(_HEADER_LIMIT)
    if not line.endswith(b"\n"):
        raise EOFError
    told = json.loads(line)
    return {
        "refused": str(told.get("refused", "")),
        "text": str(told.get("text", "")),
        "width": max(int(told.get("width", 1)), 1),
        "height": max(int(told.get("height", 1)), 1),
        "format": str(told.get("format", "")),
        "same_file": told.get("same_file") is True,
        "told_upright": told.get("told_upright") is True,
        "profile": int(told.get("profile", 0)),
        "pages": min(max(int(told.get("pages", 1)), 1), FRAME_LIMIT),
    }


def _fill(data: bytearray, answer: BufferedReader) -> None:
    """Read into memory that is there already: the pixels are never there twice."""
    left = memoryview(data)
    while left:
        count = answer.readinto(left)
        if not count:
            raise EOFError
        left = left[count:]


def _exactly(answer: BufferedReader, size: int) -> bytes:
    data = answer.read(size)
    if len(data) < size:
        raise EOFError
    return data
