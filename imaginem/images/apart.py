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
from typing import IO, TYPE_CHECKING, Any

from imaginem.errors import PermanentError, RetryableError
from imaginem.images.limits import (
    CPU_SECONDS,
    OUT_OF_MEMORY,
    OverLimit,
    check_pixels,
    out_of_memory,
)

if TYPE_CHECKING:
    from PIL import Image

_WALL_SECONDS = 60.0
"""How long a child may take where it waits for others: its own time is bounded by CPU_SECONDS."""
_HEADER_LIMIT = 10_000
_STRIP_PIXELS = 1_000_000
# What a decoder may know of us: no address, no key.
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Decoded:
    """What a child returned.

    Attributes:
        pil: the pixels, 8-bit RGB and upright.
        format: as of `format_of`.
        same_file: as of `holds_these_pixels`.
    """

    pil: "Image.Image"
    format: str
    same_file: bool


def decode_apart(data: bytes) -> Decoded:
    """Decode a photo in a child process; wait while another one is decoded so.

    Raises:
        OverLimit: it takes too much time or memory.
        PermanentError: it can't be decoded.
        RetryableError: this machine has no room or no time for it now.
    """
    with _one_at_a_time:
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "imaginem.images.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
            )
        except OSError as problem:
            raise RetryableError(
                f"the process that decodes large photos did not start: {problem}"
            ) from None
        return _follow(process, data)


def _environment() -> Mapping[str, str]:
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    # One heap for all threads: each further one would reserve 64 MB of the address space.
    return {**kept, "PYTHONPATH": os.pathsep.join(sys.path), "MALLOC_ARENA_MAX": "1"}


def _follow(process: "subprocess.Popen[bytes]", data: bytes) -> Decoded:
    """Give a child its photo, and read what it makes of it."""
    late = threading.Event()

    def kill() -> None:
        late.set()
        process.kill()

    watch = threading.Timer(_WALL_SECONDS, kill)
    watch.start()
    try:
        with process:
            assert process.stdin is not None and process.stdout is not None  # noqa: S101 - pipes
            with suppress(BrokenPipeError):  # it died: its answer, or none, tells why
                process.stdin.write(data)
                process.stdin.close()
            try:
                return _read(process.stdout)
            except EOFError:
                process.kill()
    finally:
        watch.cancel()
    raise _reason(process.wait(), late.is_set())


def _reason(code: int, late: bool) -> Exception:
    """Return why a child ended before its answer did."""
    if late:
        return RetryableError("decoding the photo waited too long for this machine: try it later")
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return OverLimit(
            f"the photo takes more than {CPU_SECONDS} s to decode; that is the limit: "
            "save it again as a plain JPEG or PNG"
        )
    if code in (-signal.SIGSEGV, -signal.SIGBUS, -signal.SIGABRT):
        return PermanentError(
            "the photo is damaged: it breaks the decoder; send the original again"
        )
    return out_of_memory()


def _read(answer: IO[bytes]) -> Decoded:
    """Read a child's answer.

    Raises:
        EOFError: it ends early.
    """
    from PIL import Image

    header = _header(answer)
    if header["refused"] == OUT_OF_MEMORY:
        raise out_of_memory()
    if header["refused"]:
        kind = OverLimit if header["refused"] == "limit" else PermanentError
        raise kind(header["text"])
    width, height = header["width"], header["height"]
    check_pixels(width, height)
    whole = Image.new("RGB", (width, height))
    profile = _exactly(answer, header["profile"])
    if profile:
        whole.info["icc_profile"] = profile
    rows = max(_STRIP_PIXELS // width, 1)
    for top in range(0, height, rows):
        size = (width, min(rows, height - top))
        strip = Image.frombytes("RGB", size, _exactly(answer, size[0] * size[1] * 3))
        whole.paste(strip, (0, top))
    return Decoded(whole, header["format"], header["same_file"])


def _header(answer: IO[bytes]) -> dict[str, Any]:
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
        "profile": int(told.get("profile", 0)),
    }


def _exactly(answer: IO[bytes], size: int) -> bytes:
    data = answer.read(size)
    if len(data) < size:
        raise EOFError
    return data
