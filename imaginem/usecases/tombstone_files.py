"""Tombstones as a file, kept apart from backups: what was erased since a backup is known by it.

Lines of JSON: a head with the key, rows by section, and a signature over all of that. Other stores
that note what was erased add a section: a name, what reads its rows and what writes them.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, cast

from pydantic import TypeAdapter

from imaginem.errors import InvalidMessage
from imaginem.pipeline.erased import NotedErasures
from imaginem.ports import (
    BarredPhoto,
    Box,
    DashboardServices,
    ErasedJobs,
    ErasedRuns,
    SharedState,
    SuppressedMark,
    Tombstones,
)

FORMAT = "imaginem-tombstones/1"
Row = list[Any]
_BOX: TypeAdapter[Box | None] = TypeAdapter(Box | None)


@dataclass(frozen=True)
class Section:
    """A part of the file.

    Attributes:
        name: in the file.
        read: returns the rows that are kept; values of JSON.
        write: adds rows, given the key of the file; doing it twice does no harm.
    """

    name: str
    read: Callable[[DashboardServices], Iterable[Row]]
    write: Callable[[DashboardServices, str, Iterable[Row]], None]


def _read_marks(services: DashboardServices) -> Iterator[Row]:
    for batch, mark, laid in services.erased.all():
        yield [batch, mark, laid.isoformat()]


def _write_marks(services: DashboardServices, key: str, rows: Iterable[Row]) -> None:
    marks = ((str(b), str(m), datetime.fromisoformat(str(laid))) for b, m, laid in rows)
    services.erased.restore(key, marks)


def _read_runs(services: DashboardServices) -> Iterator[Row]:
    yield from ([mark] for mark in services.erased_runs.all())


def _write_runs(services: DashboardServices, key: str, rows: Iterable[Row]) -> None:
    services.erased_runs.restore(str(mark) for (mark,) in rows)


def _read_faces(services: DashboardServices) -> Iterator[Row]:
    for each in services.suppressed_faces.all():
        yield [each.face, each.photo, each.group, list(each.box) if each.box else None]


def _write_faces(services: DashboardServices, key: str, rows: Iterable[Row]) -> None:
    services.suppressed_faces.restore(
        SuppressedMark(str(face), str(photo), str(group), _BOX.validate_python(box))
        for face, photo, group, box in rows
    )


def _read_bars(services: DashboardServices) -> Iterator[Row]:
    for each in services.barred.all():
        yield [each.group, each.mark, each.at.isoformat(), each.who]


def _write_bars(services: DashboardServices, key: str, rows: Iterable[Row]) -> None:
    services.barred.restore(
        BarredPhoto(str(group), str(mark), datetime.fromisoformat(str(at)), str(who))
        for group, mark, at, who in rows
    )


FACES = Section("suppressed faces", _read_faces, _write_faces)
BARS = Section("barred photos", _read_bars, _write_bars)
SECTIONS = (
    Section("tombstones", _read_marks, _write_marks),
    Section("erased runs", _read_runs, _write_runs),
    FACES,
    BARS,
)
"""In the order in which they are written; tombstones first, since they bring the key."""


def export_lines(services: DashboardServices, now: datetime | None = None) -> Iterator[str]:
    """Return the file's lines.

    Raises:
        InvalidMessage: nothing was ever erased.
    """
    key = services.erased.key()
    if not key:
        raise InvalidMessage("nothing was ever erased here: there are no tombstones")
    signature = _signature(key)
    head = {"format": FORMAT, "made": (now or datetime.now(UTC)).isoformat(), "key": key}
    yield _add(signature, head)
    for section in SECTIONS:
        for row in section.read(services):
            yield _add(signature, {"section": section.name, "row": row})
    yield json.dumps({"signature": signature.hexdigest()})


def _add(signature: "hmac.HMAC", value: dict[str, Any]) -> str:
    line = json.dumps(value)
    signature.update(line.encode() + b"\n")
    return line


def _signature(key: str) -> "hmac.HMAC":
    return hmac.new(key.encode(), b"tombstones\n", hashlib.sha256)


def check_lines(lines: Iterable[str]) -> tuple[str, int]:
    """Check a file's signature and sections; return its key, and how many rows it has.

    Raises:
        InvalidMessage: it is no such file, was changed or cut, or is of a later version.
    """
    known = {section.name for section in SECTIONS}
    given, count, key = "", -1, ""
    signature = _signature(key)
    for line in lines:
        value = _value(line)
        if given:
            raise InvalidMessage("the file of tombstones goes on after its signature")
        if count < 0:
            if value.get("format") != FORMAT or not isinstance(value.get("key"), str):
                raise InvalidMessage(f"this is no file of tombstones of the format {FORMAT}")
            key = value["key"]
            signature = _signature(key)
        elif "signature" in value:
            given = str(value["signature"])
            continue
        elif value.get("section") not in known:
            raise InvalidMessage(
                f"the file of tombstones has a section {value.get('section')!r:.80}, which this "
                "version does not know: apply it with the version that wrote it"
            )
        signature.update(line.rstrip("\n").encode() + b"\n")
        count += 1
    if not hmac.compare_digest(given.encode(), signature.hexdigest().encode()):
        raise InvalidMessage("the file of tombstones was changed or is not whole: take another")
    return key, count


def write_lines(services: DashboardServices, key: str, lines: Iterable[str]) -> None:
    """Add what a file says that was checked. Raises PermanentError: we have another key."""
    rows = (value for value in map(_value, lines) if "section" in value)
    writers = {section.name: section.write for section in SECTIONS}
    for name, own in groupby(rows, lambda value: str(value["section"])):
        writers[name](services, key, (value["row"] for value in own))


def not_known(services: DashboardServices, section: Section, lines: Iterable[str]) -> int:
    """Count the rows of a section that the stores do not have, by their first two values."""
    rows = [v["row"] for v in map(_value, lines) if v.get("section") == section.name]
    return len({(row[0], row[1]) for row in rows} - {(r[0], r[1]) for r in section.read(services)})


def erased_by(key: str, lines: Iterable[str]) -> ErasedJobs:
    """Return what tells which jobs a file of tombstones covers, without writing anything."""
    rows = [v["row"] for v in map(_value, lines) if v.get("section") == "tombstones"]
    marks = {(str(b), str(m)): datetime.fromisoformat(str(laid)) for b, m, laid in rows}
    found = _Marks(marks)  # to look for a tombstone needs no more of the ports than this
    return NotedErasures(
        cast(Tombstones, found), cast(SharedState, _Key(key)), cast(ErasedRuns, found)
    )


class _Marks:
    """The marks of a file, to be found."""

    def __init__(self, marks: Mapping[tuple[str, str], datetime]) -> None:
        self._marks = marks

    def find(self, batch: str, marks: Collection[str]) -> Mapping[str, datetime]:
        """Find marks."""
        return {m: self._marks[batch, m] for m in marks if (batch, m) in self._marks}


class _Key:
    """The key of a file, to be read."""

    def __init__(self, key: str) -> None:
        self._key = key

    def read(self, name: str) -> tuple[str, str]:
        """Return the key."""
        return self._key, ""


def _value(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InvalidMessage("the file of tombstones has a line that is no JSON object")
    return value
