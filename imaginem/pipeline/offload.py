"""Outputs that are too large for a message or a table property are kept in a private blob."""

import hashlib
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json

from imaginem.errors import InvalidMessage, NotFound, PermanentError
from imaginem.message import MESSAGE_LIMIT, OUTPUT_LIMIT, JobMessage
from imaginem.names import job_prefix
from imaginem.ports import Blobs, JobKey

CONTAINER = "largemessages"
_LINK = "linked_content"
LINKED_LIMIT = 64 * 1024 * 1024
_ROOM_FOR_FENCE = 512  # bytes; run and fence are added after the message was made to fit
_PROPERTY_LIMIT = 60 * 1024  # bytes as UTF-16; Azure allows 64 KiB
_ENTITY_LIMIT = 900 * 1024  # bytes; Azure allows 1 MiB


def is_linked(output: object) -> bool:
    """Tell whether an output is a link to a blob."""
    return isinstance(output, dict) and set(output) == {_LINK}


def offload(name: str, text: bytes, key: JobKey, blobs: Blobs) -> dict[str, str]:
    """Write JSON into a blob of this job; the same content has the same name."""
    digest = hashlib.sha256(text).hexdigest()[:16]
    path = f"{job_prefix(*key)}{name}-{digest}.json"
    return {_LINK: blobs.put(CONTAINER, path, text, "application/json")}


def expand(output: Any, key: JobKey, blobs: Blobs) -> Any:
    """Return an output, read from its blob if it is linked.

    Raises:
        PermanentError: the link leads outside this job's folder, or to no blob.
    """
    if not is_linked(output):
        return output
    place = blobs.locate(str(output[_LINK]))
    if place is None or place[0] != CONTAINER or not place[1].startswith(job_prefix(*key)):
        raise PermanentError(
            f"linked_content must lie in this job's folder {CONTAINER}/{job_prefix(*key)}"
        )
    try:
        return from_json(blobs.get(*place, LINKED_LIMIT))
    except NotFound:
        raise PermanentError(f"linked_content {place[1]} is gone: send the job again") from None
    except ValueError:
        raise PermanentError(f"linked_content {place[1]} is not JSON") from None


def expand_all(outputs: Mapping[str, Any], key: JobKey, blobs: Blobs) -> dict[str, Any]:
    """Return outputs with every linked one inlined."""
    return {name: expand(output, key, blobs) for name, output in outputs.items()}


def fit(message: JobMessage, blobs: Blobs) -> JobMessage:
    """Return the message with its largest outputs linked, as many as are needed to fit a queue.

    Raises:
        InvalidMessage: it does not fit with all outputs linked.
    """
    limit = MESSAGE_LIMIT - _ROOM_FOR_FENCE
    outputs = dict(message.job_output)
    sizes = {name: to_json(output) for name, output in outputs.items() if not is_linked(output)}
    for name in sorted(sizes, key=lambda name: len(sizes[name]), reverse=True):
        candidate = message.with_outputs(outputs)
        if len(sizes[name]) <= OUTPUT_LIMIT and len(candidate.encode().encode()) <= limit:
            return candidate
        outputs[name] = offload(_plain(name), sizes[name], message.key, blobs)
    candidate = message.with_outputs(outputs)
    if len(candidate.encode().encode()) > limit:
        raise InvalidMessage(f"the message stays over {MESSAGE_LIMIT} bytes: shorten job_output")
    return candidate


def _plain(name: str) -> str:
    """Return an output's name as part of a file name; senders may use any characters."""
    return "".join(c for c in name if c.isascii() and (c.isalnum() or c == "-"))[:63] or "output"


def as_property(name: str, value: Any, key: JobKey, blobs: Blobs, *, shares: int) -> str:
    """Return a value as a table property's text: JSON, or a link when it wouldn't fit.

    Args:
        shares: how many such properties the entity's 1 MiB must hold.
    """
    text = to_json(value)
    limit = min(_PROPERTY_LIMIT, _ENTITY_LIMIT // max(shares, 1))
    if len(text.decode().encode("utf-16-le")) > limit:
        text = to_json(offload(_plain(name), text, key, blobs))
    return text.decode()
