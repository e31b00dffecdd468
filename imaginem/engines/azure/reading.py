"""Reads the services' answers, in which any field may be missing, null or of a kind not known yet.

A call is paid for once it is answered, so nothing here raises: a field that can't be used reads as
one that is missing.
"""

from collections.abc import Mapping

Fields = Mapping[str, object]
"""A JSON object."""
_TOO_LARGE = 1e9


def fields(value: object) -> Fields:
    """Return a JSON object; empty for anything else."""
    return value if isinstance(value, Mapping) else {}


def objects(value: object) -> list[Fields]:
    """Return the JSON objects of a list; none for anything else."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def text(value: object) -> str:
    """Return a text; empty for anything else. The SDKs' enumerations are texts.

    An unpaired surrogate, which JSON can hold but UTF-8 can't, becomes a question mark.
    """
    told = str(getattr(value, "value", value)) if isinstance(value, str) else ""
    return told.encode("utf-8", "replace").decode()


def texts(value: object) -> list[str]:
    """Return the texts of a list that are not empty."""
    return [item for item in map(text, value) if item] if isinstance(value, list) else []


def number(value: object) -> float | None:
    """Return a number, or None; also for infinity and what no pixel, score or angle can be."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _TOO_LARGE else None


def numbers(value: object) -> list[float]:
    """Return a list of numbers; empty if one of them is none, since each has its meaning."""
    read = [number(item) for item in value] if isinstance(value, list) else []
    told = [item for item in read if item is not None]
    return told if len(told) == len(read) else []


def named(value: object, *names: str) -> list[float]:
    """Return the numbers of an object under these names; empty if one of them is missing."""
    found = fields(value)
    return numbers([found.get(name) for name in names])


def flag(value: object) -> bool | None:
    """Return true or false, or None."""
    return value if isinstance(value, bool) else None


def confidence(value: object) -> float:
    """Return a confidence or score; 0.0 where the service does not tell."""
    return number(value) or 0.0
