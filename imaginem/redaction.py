"""Removes secrets from texts before they are stored, logged or shown."""

import json
import re
from typing import Any

_URL_QUERY = re.compile(r"(https?://[^\s\"'<>?#\\]+)[?#][^\s\"'<>\\]*", re.IGNORECASE)
_USER = re.compile(r"(https?://)[^\s/?#\"'<>]*@", re.IGNORECASE)  # to the last @
_NAMES = r"AccountKey|SharedAccessSignature|pwd|password|api[-_]?key|sig|access_token"
_SECRET_NAME = re.compile(f"(?i){_NAMES}")
_SECRET = re.compile(rf"(?i)\b({_NAMES})(\s*[=:]\s*)([^\s;&,\"'\\]+)")

# What senders call secrets, each a word of a name such as `blobSasToken` or `x-functions-key`.
_SECRET_WORD = re.compile(
    "apikey|auth|authorization|bearer|cookie|credentials?|jwt|passphrase|passwd|password|pin|pwd"
    "|sas|secrets?|sig|signature|tokens?"
)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_NAMED = re.compile(r"(?i)(?<![\w-])([\w-]+)([\"']?\s*(?:=|:|%3d)\s*[\"']?)([^\s;&,%\"'\\]+)")
_SECRET_VALUE = re.compile(
    r"(?i)(?<=\bbearer )[\w.~+/=-]+|(?<=\bbasic )[\w+/=-]{8,}"
    r"|(?<![\w-])eyJ[\w-]{8,}\.[\w-]+\.[\w-]*"  # a JSON web token
    r"|(?<![\w+/])[A-Za-z0-9+/]{86}==|(?<![\w+/])[A-Za-z0-9+/]{43}=(?![\w=])"  # Azure's keys
)
_DEEPEST = 50


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


def redact_shown(value: Any, depth: int = 0) -> Any:
    """Return what a sender gave, such as `image_parameters`, as people may see it.

    Senders put anything there, so that more counts as a secret than in `redact_values`: each field
    with a secret's word in its name, keys and tokens by their form, and JSON in a text. It is for
    showing alone; the job keeps what was sent.
    """
    if depth > _DEEPEST:
        return "***"
    if isinstance(value, str):
        return _shown_text(value, depth)
    if isinstance(value, list | tuple):
        return [redact_shown(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {
            _shown_text(str(name), depth): "***"
            if _is_secret(str(name)) and item is not None
            else redact_shown(item, depth + 1)
            for name, item in value.items()
        }
    return value


def _is_secret(name: str) -> bool:
    """Tell whether a name is a secret's: one of its words says so, or it ends with `key`."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if any(_SECRET_WORD.fullmatch(word) for word in words) or _SECRET_NAME.fullmatch(name):
        return True
    return len(words) > 1 and words[-1] == "key"


def _shown_text(text: str, depth: int) -> str:
    if text.lstrip().startswith(("{", "[")):
        try:
            value = json.loads(text)
            shown = redact_shown(value, depth + 1)
        except (ValueError, RecursionError):
            pass
        else:
            return text if shown == value else json.dumps(shown, ensure_ascii=False)
    plain = _SECRET_VALUE.sub("***", redact(text))
    return _NAMED.sub(lambda m: f"{m[1]}{m[2]}***" if _is_secret(m[1]) else m[0], plain)


def one_line(text: str, limit: int = 600) -> str:
    """Return `text` redacted, on one line, cut at `limit` characters."""
    line = " ".join(redact(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
