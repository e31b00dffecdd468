"""Removes secrets from texts before they are stored, logged or shown."""

import re
from typing import Any

_URL_QUERY = re.compile(r"(https?://[^\s\"'<>?#\\]+)[?#][^\s\"'<>\\]*", re.IGNORECASE)
_USER = re.compile(r"(https?://)[^\s/?#\"'<>]*@", re.IGNORECASE)  # to the last @
_NAMES = r"AccountKey|SharedAccessSignature|pwd|password|api[-_]?key|sig|access_token"
_SECRET_NAME = re.compile(f"(?i){_NAMES}")
_SECRET = re.compile(rf"(?i)\b({_NAMES})(\s*[=:]\s*)([^\s;&,\"'\\]+)")


def without_query(url: str) -> str:
    """Return an address without its query (where SAS tokens are), fragment, user and password."""
    return _USER.sub(r"\1", re.split(r"[?#]", url, maxsplit=1)[0])


def redact(text: str) -> str:
    """Return `text` without the queries and users of addresses in it, and without keys."""
    return _SECRET.sub(r"\1\2***", _USER.sub(r"\1", _URL_QUERY.sub(r"\1", text)))


def redact_values(value: Any) -> Any:
    """Return a JSON value with its texts redacted; fields such as `password` become `***`."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [redact_values(item) for item in value]
    if isinstance(value, dict):
        return {
            key: "***" if _SECRET_NAME.fullmatch(key) else redact_values(item)
            for key, item in value.items()
        }
    return value


def one_line(text: str, limit: int = 600) -> str:
    """Return `text` redacted, on one line, cut at `limit` characters."""
    line = " ".join(redact(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
