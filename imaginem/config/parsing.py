"""Reads texts of an environment as values, and collects every problem on the way."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from imaginem.errors import InvalidMessage
from imaginem.names import check_pipeline

T = TypeVar("T")


class Reader:
    """Reads settings; `problems` has one line for each that is wrong."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        """Return a setting's text, or the default if it is empty."""
        return self._environment.get(name, "").strip() or default

    def parsed(self, name: str, default: T, parse: Callable[[str], T], expected: str) -> T:
        """Return a setting's value; `expected` says what should stand there."""
        raw = self.text(name)
        if not raw:
            return default
        try:
            return parse(raw)
        except (ValueError, InvalidMessage) as problem:
            detail = f" ({problem})" if isinstance(problem, InvalidMessage) else ""
            # An address may hold a password, and a key may stand where an address belongs.
            shown = "can't be used" if parse is address else f"is {raw!r}"
            self.problems.append(f"{name} {shown}: give {expected}{detail}")
            return default

    def names(self, name: str) -> tuple[str, ...]:
        """Return names with commas between."""
        return tuple(part.strip() for part in self.text(name).split(",") if part.strip())

    def one_of(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        """Return one of some words, in small letters."""

        def check(raw: str) -> str:
            if raw.lower() not in allowed:
                raise ValueError
            return raw.lower()

        return self.parsed(name, default, check, " or ".join(allowed))


def share(raw: str) -> float:
    """Read a number from 0 to 1."""
    value = float(raw)
    if not 0 <= value <= 1:
        raise ValueError
    return value


def file(raw: str) -> Path | None:
    """Read the path of a file that exists."""
    path = Path(raw).expanduser()
    if not path.is_file():
        raise ValueError
    return path


def positive(raw: str) -> int:
    """Read a whole number from 1."""
    value = int(raw)
    if value < 1:
        raise ValueError
    return value


def seconds(raw: str) -> float:
    """Read seconds, less than an hour."""
    value = float(raw)
    if not 0 <= value < 3600:
        raise ValueError
    return value


def amount(raw: str) -> float:
    """Read a number from 0 to a million."""
    value = float(raw)
    if not 0 <= value <= 1_000_000:
        raise ValueError
    return value


def address(raw: str) -> str:
    """Read an http(s) address without query."""
    parts = urlsplit(raw)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise ValueError
    if "@" in parts.netloc:  # a name or a password, which would be logged with the address
        raise ValueError
    return raw.rstrip("/")


def pipeline(raw: str) -> tuple[str, ...]:
    """Read step names with commas between."""
    names = tuple(part.strip() for part in raw.split(",") if part.strip())
    if not names:
        raise ValueError
    check_pipeline(names)
    return names


def container(raw: str) -> str:
    """Read a container's name."""
    check_pipeline([raw])  # containers follow the same naming rule as queues
    return raw


def list_name(raw: str) -> str:
    """Read the name of face lists: a number is put behind it, 64 characters in all."""
    if not re.fullmatch(r"[a-z0-9_-]{1,50}", raw):
        raise ValueError
    return raw
