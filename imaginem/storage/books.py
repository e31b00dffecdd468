"""Reads, in the files of an emulator that is stopped, which bytes are still of something.

What Azurite 3.36 does, by its source (see also `storage/saves.py`): blobs and messages are
documents in its books, which hold nothing of what was deleted. A document tells where its bytes
lie: id of a file (an extent), offset and count. Bytes are only ever appended to a file, and a
file goes when no document names it any more (`FSExtentStore`, `BlobReferredExtentsAsyncIterator`):
whatever else lies in it stays readable.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from imaginem.errors import ConfigurationError

BOOKS = (
    "__azurite_db_blob__.json",
    "__azurite_db_blob_extent__.json",
    "__azurite_db_queue__.json",
    "__azurite_db_queue_extent__.json",
    "__azurite_db_table__.json",
)
BLOB_BYTES, MESSAGE_BYTES = "__blobstorage__", "__queuestorage__"
OWN_QUEUE = "imaginem-saved"
"""In which `EmulatorSaves` leaves its mark: a message that is of no job."""
_BLOBS, _BLOCKS, _MESSAGES = "$BLOBS_COLLECTION$", "$BLOCKS_COLLECTION$", "$MESSAGES_COLLECTION$"
_NO_FILE = "*ZERO*"
"""The extent of bytes that are all zero."""

Ranges = dict[str, list[tuple[int, int]]]
"""By file, below the data's folder: begin and end of what is still of something, in order."""


def live_ranges(data: Path) -> Ranges:
    """Return which bytes of blobs and messages are still of something.

    Raises:
        ConfigurationError: the books are not as this version of the emulator writes them.
    """
    found: Ranges = {}
    with _understanding(data / BOOKS[0]) as book:
        for blob in _documents(book, _BLOBS):
            chunks = list(_chunks(blob))
            _check_length(book, blob, chunks)
            _add(found, BLOB_BYTES, chunks)
        for block in _documents(book, _BLOCKS):
            _add(found, BLOB_BYTES, _chunks(block))
    with _understanding(data / BOOKS[2]) as book:
        for message in _documents(book, _MESSAGES):
            if not message["persistency"]:
                raise _not_understood(book)
            _add(found, MESSAGE_BYTES, _chunks(message))
    return {name: _merged(ranges) for name, ranges in found.items()}


def waiting_messages(data: Path) -> int:
    """Return how many messages lie on queues, hidden ones among them.

    Raises:
        ConfigurationError: the books are not as this version of the emulator writes them.
    """
    with _understanding(data / BOOKS[2]) as book:
        messages = _documents(book, _MESSAGES)
        return sum(message["queueName"] != OWN_QUEUE for message in messages)


@contextmanager
def _understanding(book: Path) -> Iterator[Path]:
    """Turn what comes of a book that is written otherwise into our error."""
    try:
        yield book
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise _not_understood(book) from None


def _documents(book: Path, collection: str) -> list[dict[str, Any]]:
    collections = json.loads(book.read_bytes())["collections"]
    named: dict[str, list[dict[str, Any]]] = {each["name"]: each["data"] for each in collections}
    return named[collection]


def _chunks(document: dict[str, Any]) -> Iterator[tuple[str, int, int]]:
    """Yield id, begin and end of each place at which a document's bytes lie."""
    holders = [document]
    for parts in ("committedBlocksInOrder", "pageRangesInOrder"):
        holders += document.get(parts) or []
    for holder in holders:
        place = holder.get("persistency")
        if place and place["id"] != _NO_FILE and place["count"]:
            yield place["id"], place["offset"], place["offset"] + place["count"]


def _check_length(book: Path, blob: dict[str, Any], chunks: list[tuple[str, int, int]]) -> None:
    """Check that all bytes of a blob were found: what is not found would be left behind."""
    properties = blob["properties"]
    found = sum(end - begin for _, begin, end in chunks)
    whole = blob.get("isCommitted") and properties.get("blobType") != "PageBlob"
    if whole and found < (properties.get("contentLength") or 0):
        raise _not_understood(book)


def _add(found: Ranges, folder: str, chunks: Iterable[tuple[str, int, int]]) -> None:
    for name, begin, end in chunks:
        found.setdefault(f"{folder}/{name}", []).append((begin, end))


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(ranges):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def _not_understood(book: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{book} is not as the storage emulator that Imaginem installs writes it, so nothing was "
        "changed, and traces of what was erased stay: install that version with `npm ci`"
    )
