"""Finds the files that an ONNX file keeps numbers in beside itself.

Nobody has looked at the sha256 of those, so a network that has any is not opened. What is read
here is onnx.proto3 of ONNX 1.16, as far as it leads to tensors: field numbers of that never change.
The package onnx is not asked, since Azure installs it for no step.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_PLACES: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 10: "tensor", 6: "graph", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
"""Which field of a message holds which message."""
_KEY, _VALUE = 1, 2
"""Fields of a tensor's `external_data`, whose key `location` names the file."""
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_LONGEST = 63
"""Bits of a number: more are none."""
_DEEPEST = 100
"""Graphs lie in graphs at most so deep, as protobuf's own readers have it."""


def outside_data(path: Path) -> list[str]:
    """Return the names of files that an ONNX file keeps numbers in, as it names them.

    Args:
        path: the ONNX file; one that is none, or damaged, tells as much as can be read of it.
    """
    with path.open("rb") as file:
        if not path.stat().st_size:
            return []
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return list(dict.fromkeys(_places(data, 0, len(data), "model", 0)))


def _places(data: Any, start: int, end: int, kind: str, depth: int) -> Iterator[str]:
    if kind == "entry":
        yield from _location(data, start, end)
        return
    inside = _PLACES[kind]
    if depth > _DEEPEST:
        return
    for number, first, last in _fields(data, start, end):
        if number in inside:
            yield from _places(data, first, last, inside[number], depth + 1)


def _location(data: Any, start: int, end: int) -> Iterator[str]:
    """Yield the file that an entry of `external_data` names, if it names one."""
    texts = {number: data[first:last] for number, first, last in _fields(data, start, end)}
    if texts.get(_KEY) == b"location":
        yield texts.get(_VALUE, b"").decode("utf-8", "replace")


def _fields(data: Any, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of each field of a message that is bytes; skip the others."""
    while start < end:
        tag, start = _varint(data, start, end)
        wire = tag & 7
        if wire == _VARINT:
            _, start = _varint(data, start, end)
        elif wire == _EIGHT_BYTES:
            start += 8
        elif wire == _FOUR_BYTES:
            start += 4
        elif wire == _LENGTH:
            size, start = _varint(data, start, end)
            if start + size > end:
                return
            yield tag >> 3, start, start + size
            start += size
        else:
            return


def _varint(data: Any, start: int, end: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, and where it ends; past the end if it is cut off."""
    value = shift = 0
    while start < end and shift <= _LONGEST:
        byte = data[start]
        start += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, start
        shift += 7
    return 0, end + 1
