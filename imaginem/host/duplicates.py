"""What a message says of its place in a job, and which messages this host has seen through.

Queues deliver at least once, and senders may send twice. A message that equals one which was
seen through in queue, job, step and bookkeeping (`_imaginem`: the run and its fence among it)
can change nothing any more, so it is dropped without a call to a worker.
"""

import hashlib
import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from imaginem.errors import InvalidMessage
from imaginem.message import read_json

_REMEMBERED = 100_000
"""Keys of 16 bytes: about 15 MB."""
_LOOKS_ITSELF = ("look", "ends", "replaces")
"""Fields of messages that were sent again on purpose: they must reach a worker."""


@dataclass(frozen=True)
class Place:
    """Where a message stands on its job's way, as far as it tells; its sender may have made it up.

    Attributes:
        batch_id, job_id: empty where it does not tell.
        run: id of the run, or of the message that starts one.
        following: the queue after this one; empty on the last.
        key: equal for copies of one message; empty for what must never be dropped.
    """

    batch_id: str = ""
    job_id: str = ""
    run: str = ""
    following: str = ""
    key: bytes = b""


def place_of(queue: str, message_id: str, body: str) -> Place:
    """Return what a message says of itself, whatever it holds."""
    try:
        value = read_json(body)
    except InvalidMessage:
        return Place(run=message_id)
    definition = value.get("job_definition") if isinstance(value, dict) else None
    if not isinstance(definition, dict):
        return Place(run=message_id)
    kept = definition.get("_imaginem")
    kept = kept if isinstance(kept, dict) else {}
    run = kept.get("run") or kept.get("drop") or message_id
    return Place(
        str(definition.get("batch_id") or "")[:100],
        str(definition.get("id") or "")[:100],
        str(run)[:100],
        _following(definition),
        _key(queue, definition, kept),
    )


def _following(definition: dict[str, Any]) -> str:
    step, pipeline = definition.get("processing_step"), definition.get("processing_pipeline")
    if not isinstance(pipeline, list) or not isinstance(step, int):
        return ""
    return str(pipeline[step + 1]) if 0 <= step < len(pipeline) - 1 else ""


def _key(queue: str, definition: dict[str, Any], kept: dict[str, Any]) -> bytes:
    if not (kept.get("run") and kept.get("fence")) or any(kept.get(f) for f in _LOOKS_ITSELF):
        return b""
    names = ("batch_id", "id", "processing_step", "processing_pipeline")
    same = {name: value for name, value in kept.items() if name != "traceparent"}
    text = json.dumps([queue, [definition.get(name) for name in names], same], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


class SeenThrough:
    """Keys of the messages that were completed and deleted; the latest 100,000 of them.

    Attributes:
        dropped: messages that were dropped since they were among them.
    """

    def __init__(self, size: int = _REMEMBERED) -> None:
        self._keys: OrderedDict[bytes, None] = OrderedDict()
        self._size = size
        self._lock = threading.Lock()
        self.dropped = 0

    def add(self, key: bytes) -> None:
        """Remember a message; an empty key is none."""
        if key:
            with self._lock:
                self._keys[key] = None
                self._keys.move_to_end(key)
                if len(self._keys) > self._size:
                    self._keys.popitem(last=False)

    def __contains__(self, key: bytes) -> bool:
        with self._lock:
            return key in self._keys

    def count_dropped(self) -> None:
        """Count a message that was dropped."""
        with self._lock:
            self.dropped += 1

    def forget(self) -> None:
        """Forget all: storage was away, and may have come back as it was some time ago."""
        with self._lock:
            self._keys.clear()
