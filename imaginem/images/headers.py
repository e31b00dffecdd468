"""Numbers in headers, which whoever sends them may write as he likes."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# `str.isdigit` takes `²` and `float` takes `nan`, `inf` and `1_0`. Nine digits are 31 years.
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_LENGTH = re.compile(r"[0-9]{1,18}")


def retry_after(text: str | None) -> float | None:
    """Return the seconds of Retry-After, a number or a date (RFC 9110, 10.2.3), 0 or more.

    Returns:
        None if there is no such header, or nothing that can be understood.
    """
    told = (text or "").strip()
    if _SECONDS.fullmatch(told):
        return float(told)
    try:
        return max((parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds(), 0.0)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def declared_length(text: str | None) -> int | None:
    """Return the bytes that Content-Length declares; None if it declares no number."""
    told = (text or "").strip()
    return int(told) if _LENGTH.fullmatch(told) else None
