"""Removes secrets from texts before they are stored, logged or shown."""

import json
import re
from collections.abc import Callable
from typing import Any

_URL_QUERY = re.compile(r"(https?://[^\s\"'<>?#\\]+)[?#][^\s\"'<>\\]*", re.IGNORECASE)
# To the last @, whatever the scheme, or none; JSON may write slashes with a backslash.
_USER = re.compile(r"((?:(?<![^\s\"'<>(=,])|:)(?:\\?/){2})[^\s/?#\"'<>]*@")
# Of a single address, also where its slashes are wrong.
_ANY_USER = re.compile(r"^(\s*[a-zA-Z][\w+.-]*:[\\/]*)[^/?#]*@")
_NAMES = r"AccountKey|SharedAccessSignature|pwd|password|api[-_]?key|sig|access_token"
_SECRET_NAME = re.compile(f"(?i){_NAMES}")
_SECRET = re.compile(rf"(?i)\b({_NAMES})(\s*[=:]\s*)([^\s;&,\"'\\]+)")

# What senders call secrets, each a word of a name such as `blobSasToken` or `x-functions-key`.
_SECRET_WORD = re.compile(
    "apikey|auth|authorization|bearer|cookie|credentials?|jwt|passphrase|passwd|password|pin|pwd"
    "|sas|secrets?|sig|signature|tokens?"
)
# What keys are called that open something; a `caseKey` opens nothing.
_KEY_WORD = re.compile(
    "access|account|api|auth|client|encryption|functions?|host|master|primary|private|secondary"
    "|secret|service|shared|signing|storage|subscription"
)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_NAME = r"(?<![\w-])(?:(?<=%)(?:3f|26|3b))?([\w-]+)"  # or after an encoded ?, & or ;
_VALUE = r"([^\s;&,%\"'\\]+)"
_QUOTE = r"\\?[\"']"
_ASSIGNED = re.compile(
    rf"(?i){_NAME}((?:{_QUOTE})?\s*(?:=|%3d)\s*(?:{_QUOTE})?"
    rf"|{_QUOTE}\s*:\s*(?:{_QUOTE})?){_VALUE}"
)
_NAMED = re.compile(rf"(?i){_NAME}([\"']?\s*(?:=|:|%3d)\s*[\"']?){_VALUE}")
_SECRET_VALUE = re.compile(
    r"(?i)(?<=\bbearer )[\w.~+/=-]+|(?<=\bbasic )[\w+/=-]{8,}"
    r"|(?<![\w-])eyJ[\w-]{8,}\.[\w-]+\.[\w-]*"  # a JSON web token
    r"|(?<![\w+/])[A-Za-z0-9+/]{86}==|(?<![\w+/])[A-Za-z0-9+/]{43}=(?![\w=])"  # Azure's keys
)
_DEEPEST = 50
_LONG = 20_000
_LONGEST_SECRET = 200

CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
"""What moves a terminal's cursor or turns a line around, as a class of a regular expression."""
_CONTROL = re.compile(f"[{CONTROLS}]")


def escaped(text: str) -> str:
    r"""Return a text in which each of these characters is written out, such as `\u202e`."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def without_query(url: str) -> str:
    """Return an address without its query (where SAS tokens are), fragment, user and password."""
    return _ANY_USER.sub(r"\1", _USER.sub(r"\1", re.split(r"[?#]", url, maxsplit=1)[0]))


def redact(text: str) -> str:
    """Return a text without the queries and users of addresses in it, and without keys.

    It is for log lines and for reasons. Senders' texts may hold `name: secret` too, which
    `redact_shown` knows; here it would take out of `VISION_API_KEY: set it` what is to be done.
    """
    known = _SECRET.sub(r"\1\2***", _USER.sub(r"\1", _URL_QUERY.sub(r"\1", text)))
    return _without_named(_ASSIGNED, _SECRET_VALUE.sub("***", known), _is_surely_secret)


def redact_values(value: Any) -> Any:
    """Return what a sender gave, such as `image_parameters`, as it may be kept.

    Fields with a secret's name become `***`, wherever they are; keys and tokens are known by their
    form, too. Steps read the rest again when a job is run again, so that what only may be a secret,
    such as `recordKey`, stays; it is not shown.
    """
    return _redacted(value, 0, _is_surely_secret)


def redact_shown(value: Any) -> Any:
    """Return what a sender gave as people may see it: also without each field that ends with key.

    It is for showing alone; the job keeps what `redact_values` leaves.
    """
    return _redacted(value, 0, _is_secret)


def _redacted(value: Any, depth: int, is_secret: Callable[[str], bool]) -> Any:
    if depth > _DEEPEST:
        return "***"
    if isinstance(value, str):
        return _redacted_text(value, depth, is_secret)
    if isinstance(value, list | tuple):
        return [_redacted(item, depth + 1, is_secret) for item in value]
    if isinstance(value, dict):
        return {
            _redacted_text(str(name), depth, is_secret): "***"
            if is_secret(str(name)) and item is not None
            else _redacted(item, depth + 1, is_secret)
            for name, item in value.items()
        }
    return value


def _is_surely_secret(name: str) -> bool:
    """Tell whether a name is a secret's: one of its words says so, or it is a key's that opens."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if any(_SECRET_WORD.fullmatch(word) for word in words) or _SECRET_NAME.fullmatch(name):
        return True
    return words[-1:] == ["key"] and any(_KEY_WORD.fullmatch(word) for word in words)


def _is_secret(name: str) -> bool:
    """Tell whether a name may be a secret's: also if it has words and ends with `key`."""
    words = _WORDS.findall(name)
    return _is_surely_secret(name) or (len(words) > 1 and words[-1].lower() == "key")


def _redacted_text(text: str, depth: int, is_secret: Callable[[str], bool]) -> str:
    if text.lstrip().startswith(("{", "[")):
        try:
            value = json.loads(text)
            kept = _redacted(value, depth + 1, is_secret)
        except (ValueError, RecursionError):
            pass
        else:
            return text if kept == value else json.dumps(kept, ensure_ascii=False)
    return _without_named(_NAMED, redact(text), is_secret)


def _without_named(pattern: re.Pattern[str], text: str, is_secret: Callable[[str], bool]) -> str:
    """Return a text without the values that the pattern finds after a secret's name."""
    return pattern.sub(
        lambda m: f"{m[0][: m.start(3) - m.start()]}***" if is_secret(m[1]) else m[0], text
    )


def one_line(text: str, limit: int = 600) -> str:
    """Return `text` redacted, on one line without control characters, cut at `limit` characters.

    Of a very long text only the beginning is read: its reason may quote a message of a megabyte.
    """
    line = " ".join(_CONTROL.sub(" ", redact(text[:_LONG])).split())
    if len(line) > limit:
        return line[: limit - 1] + "…"
    if len(text) <= _LONG:
        return line
    whole, _, cut = line.rpartition(" ")  # half a secret is not known as one
    return whole + "…" if whole else cut[:-_LONGEST_SECRET] + "…"
