"""Reading the audit trail: a day of it as pages, or all of it as a file."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime, timedelta
from itertools import islice

from imaginem.errors import InvalidMessage
from imaginem.ports import AuditDeed, AuditEntry, AuditSubject, DashboardServices
from imaginem.ports.cursors import cursor_after, read_names
from imaginem.usecases.audit.acting import note
from imaginem.usecases.audit.chain import hash_of
from imaginem.usecases.audit.heads import SignedHeads, documents, heads_of_json, sign
from imaginem.usecases.audit.verify import Verdict, verify

MOST = 20_000
"""Entries of a day that are looked through for a page; the export has all."""


@dataclass(frozen=True)
class AuditFilter:
    """Which entries are meant: those that fit every field that is given."""

    who: str = ""
    deed: str = ""
    batch_id: str = ""
    job_id: str = ""


@dataclass(frozen=True)
class AuditPage:
    """Some entries of a day, latest first; `cursor` leads to the next ones, empty at the end.

    Attributes:
        cut: the day has more entries than were looked through.
    """

    day: date
    entries: Sequence[AuditEntry]
    cursor: str = ""
    cut: bool = False


def audit_page(
    services: DashboardServices,
    day: date | None,
    wanted: AuditFilter,
    cursor: str = "",
    limit: int = 100,
) -> AuditPage:
    """Return entries of a day, latest first; that they were read is recorded, too.

    Args:
        services: keep them.
        day: in UTC; today by default.
        wanted: which.
        cursor: of the page before.
        limit: entries at most.

    Raises:
        InvalidMessage: the cursor is not valid.
    """
    after = read_names(cursor, 3) if cursor else None
    if after is None:
        note(services, AuditDeed.READ_AUDIT, AuditSubject.AUDIT)
    day = day or datetime.now(UTC).date()
    try:
        beyond = day + timedelta(days=1)
    except OverflowError:
        raise InvalidMessage("day: it is too far away") from None
    entries = services.audit_trail.read(f"{day:%Y%m%d}", f"{beyond:%Y%m%d}")
    looked = list(islice(entries, MOST + 1))
    fits = _matcher(services, wanted)
    fitting = sorted((e for e in looked[:MOST] if fits(e)), key=_place, reverse=True)
    if after is not None:
        fitting = [entry for entry in fitting if _place(entry) < after]
    shown = fitting[:limit]
    following = cursor_after(*_place(shown[-1])) if len(fitting) > limit else ""
    return AuditPage(day, shown, following, cut=len(looked) > MOST)


def _place(entry: AuditEntry) -> tuple[str, str, str]:
    return entry.at, entry.chain, f"{entry.number:010}"


def _matcher(services: DashboardServices, wanted: AuditFilter) -> Callable[[AuditEntry], bool]:
    key = services.installation_key
    batch = hash_of(key, AuditSubject.BATCH, wanted.batch_id) if wanted.batch_id else ""
    job = ""
    if wanted.job_id:
        job = hash_of(key, AuditSubject.JOB, wanted.batch_id, wanted.job_id)
    pairs = {"who": wanted.who, "deed": wanted.deed, "batch": batch, "subject": job}
    given = {name: value for name, value in pairs.items() if value}
    return lambda entry: all(getattr(entry, name) == value for name, value in given.items())


def export_lines(services: DashboardServices) -> Iterator[str]:
    """Yield the whole trail as lines of JSON: its signed heads, then its entries.

    The heads are signed first, so that nothing in the file is without a signature.
    """
    note(services, AuditDeed.EXPORTED, AuditSubject.AUDIT)
    sign(services)
    signed = documents(services.blobs)
    for document in signed:
        yield json.dumps({"type": "heads", **document.as_json()})
    for entry in services.audit_trail.read(signed[-1].kept_from if signed else ""):
        yield json.dumps({"type": "entry", **asdict(entry)})


def verify_stored(services: DashboardServices, now: datetime | None = None) -> Verdict:
    """Verify the trail that is kept."""
    try:
        signed = documents(services.blobs)
    except ValueError as problem:
        return Verdict(0, 0, 0, "", [f"a document of signed heads can't be read: {problem}"])
    return verify(services.audit_trail.read(), signed, services.installation_key, now)


def verify_lines(services: DashboardServices, lines: Iterable[str]) -> Verdict:
    """Verify an exported file.

    Raises:
        InvalidMessage: it is none.
    """
    signed: list[SignedHeads] = []
    entries: list[AuditEntry] = []
    names = [field.name for field in fields(AuditEntry) if field.name != "number"]
    for number, line in enumerate(lines, 1):
        try:
            value = json.loads(line)
            if value["type"] == "heads":
                signed.append(heads_of_json(value))
            else:
                told = {name: str(value[name]) for name in names}
                entries.append(AuditEntry(number=int(value["number"]), **told))
        except (ValueError, KeyError, TypeError):
            raise InvalidMessage(f"line {number} is none of an exported audit trail") from None
    if entries and not signed:
        raise InvalidMessage("the file has no signed heads: export it again")
    return verify(entries, signed, services.installation_key)
