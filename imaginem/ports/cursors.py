"""Cursors: opaque texts that say where the next page of a list begins."""

import base64
import json
import uuid
from datetime import UTC, datetime

from imaginem.errors import InvalidMessage
from imaginem.ports.text_search import Sureness

_NOT_VALID = "cursor is not valid: take it from the page before, or leave it out"


def cursor_to(at: datetime, name: str) -> str:
    """Return the cursor of the page that begins after the row of this time and name."""
    raw = json.dumps([at.isoformat(), name], separators=(",", ":"))
    return base64.urlsafe_b64encode(raw.encode("ascii")).decode().rstrip("=")


def read_cursor(text: str) -> tuple[datetime, str]:
    """Return the time and name in a cursor.

    Raises:
        InvalidMessage: it is not valid.
    """
    try:
        padded = text + "=" * (-len(text) % 4)
        at, name = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None or not isinstance(name, str):
            raise ValueError
        name.encode()  # no database takes an unpaired surrogate
        return moment.astimezone(UTC), name
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise InvalidMessage(_NOT_VALID) from None


def cursor_after(*names: str) -> str:
    """Return the cursor of the page that begins after the entry of these names."""
    raw = json.dumps(names, separators=(",", ":"))
    return base64.urlsafe_b64encode(raw.encode("ascii")).decode().rstrip("=")


def read_names(text: str, count: int) -> tuple[str, ...]:
    """Return the names in a cursor.

    Args:
        text: the cursor.
        count: how many names it must hold.

    Raises:
        InvalidMessage: it is not valid.
    """
    try:
        padded = text + "=" * (-len(text) % 4)
        names = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        if not isinstance(names, list) or len(names) != count:
            raise ValueError
        for name in names:
            if not isinstance(name, str) or not name.isprintable():
                raise ValueError
        return tuple(names)
    except (ValueError, TypeError, RecursionError):
        raise InvalidMessage(_NOT_VALID) from None


def read_hit_cursor(text: str) -> tuple[Sureness, int]:
    """Return how sure the last hit of the page before was, and its place.

    Raises:
        InvalidMessage: it is not valid.
    """
    sureness, place = read_names(text, 2)
    try:
        number = int(place)
        if not 0 <= number < 2**63:  # a server's numbers
            raise ValueError
        return Sureness(sureness), number
    except ValueError:
        raise InvalidMessage(_NOT_VALID) from None


def read_job_cursor(text: str) -> tuple[datetime, uuid.UUID]:
    """Return the time and job in a cursor.

    Raises:
        InvalidMessage: it is not valid.
    """
    at, job = read_cursor(text)
    try:
        return at, uuid.UUID(job)
    except ValueError:
        raise InvalidMessage(_NOT_VALID) from None
