"""Takes secrets out of texts: what may be stored, logged or shown."""

import re
from typing import Any

_URL_QUERY = re.compile(r"(https?://[^\s\"'<>?#\\]+)[?#][^\s\"'<>\\]*", re.IGNORECASE)
_USER = re.compile(r"(https?://)[^\s/?#@\"'<>]*@", re.IGNORECASE)
_TOLD_BY = r"AccountKey|SharedAccessSignature|pwd|password|api[-_]?key|sig|access_token"
_SECRET_NAME = re.compile(f"(?i){_TOLD_BY}")
_SECRET = re.compile(rf"(?i)\b({_TOLD_BY})(\s*[=:]\s*)([^\s;&,\"'\\]+)")


def without_query(url: str) -> str:
    """Return an address without query and fragment, where SAS tokens live, and without user."""
    return _USER.sub(r"\1", re.split(r"[?#]", url, maxsplit=1)[0])


def redact(text: str) -> str:
    """Return `text` without the query of any address in it and without keys or passwords."""
    return _SECRET.sub(r"\1\2***", _USER.sub(r"\1", _URL_QUERY.sub(r"\1", text)))


def redact_values(value: Any) -> Any:
    """Return a JSON value with its texts redacted; keys that name a secret lose their value."""
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
