"""The verifier: what of an audit trail was changed, removed, reordered or added."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from imaginem.ports import NO_DIGEST, AuditEntry, InstallationKey
from imaginem.usecases.audit.heads import SignedHeads, known_heads


@dataclass(frozen=True)
class Verdict:
    """What the verifier found.

    Attributes:
        entries: how many were looked at.
        chains: in how many chains.
        unsigned: how many came after the last signed head: a cut among them can't be seen.
        signed_at: when the last document was signed; empty if there is none.
        faults: what is wrong, in words; empty if nothing is.
    """

    entries: int
    chains: int
    unsigned: int
    signed_at: str
    faults: Sequence[str]


def verify(
    entries: Iterable[AuditEntry],
    signed: Sequence[SignedHeads],
    key: InstallationKey,
    now: datetime | None = None,
) -> Verdict:
    """Verify a trail, as it lies in storage or in an exported file.

    Args:
        entries: by chain and number, as they are kept.
        signed: documents of heads, by number.
        key: of the installation that signed them.
        now: what is two days older must be signed.
    """
    faults = _faults_of_documents(signed, key)
    known = known_heads(signed)
    digests = {
        (chain, number): digest
        for document in signed
        for chain, (number, digest) in document.heads.items()
    }
    kept_from = signed[-1].kept_from if signed else ""
    signed_by_now = ((now or datetime.now(UTC)) - timedelta(days=2)).isoformat()
    count = unsigned = overdue = 0
    found: dict[str, AuditEntry] = {}
    for entry in entries:
        count += 1
        faults += _faults_of_entry(entry, found.get(entry.chain), digests)
        found[entry.chain] = entry
        if entry.number > known.get(entry.chain, (0, ""))[0]:
            unsigned += 1
            overdue += entry.at < signed_by_now
    for chain, (number, _) in sorted(known.items()):
        there = found[chain].number if chain in found else 0
        if there < number and chain >= kept_from:
            faults.append(f"{chain}: entries {there + 1} to {number} are missing")
    if overdue:
        faults.append(
            f"{overdue} entries are older than two days and not signed: signed heads were removed, "
            "or the maintenance timer has not run"
        )
    faults += _unsigned_chains(found, known, signed)
    return Verdict(count, len(found), unsigned, signed[-1].at if signed else "", faults)


def _faults_of_entry(
    entry: AuditEntry, before: AuditEntry | None, digests: dict[tuple[str, int], str]
) -> list[str]:
    name = f"{entry.chain}: entry {entry.number}"
    number, digest = (before.number, before.digest) if before else (0, NO_DIGEST)
    faults = []
    if entry.digest != entry.own_digest():
        faults.append(f"{name} was changed")
    if entry.number != number + 1:
        faults.append(f"{name} stands where entry {number + 1} must be")
    elif entry.previous != digest:
        faults.append(f"{name} does not follow the entry before it")
    if digests.get((entry.chain, entry.number), entry.digest) != entry.digest:
        faults.append(f"{name} is not the one whose digest was signed")
    return faults


def _faults_of_documents(signed: Sequence[SignedHeads], key: InstallationKey) -> list[str]:
    faults = []
    number, previous = 0, NO_DIGEST
    for document in signed:
        name = f"signed heads {document.number}"
        if document.number != number + 1:
            faults.append(f"{name} stand where number {number + 1} must be")
        elif document.previous != previous:
            faults.append(f"{name} do not follow the document before them")
        if not document.is_signed_by(key):
            faults.append(f"{name} were changed, or signed by another installation")
        number, previous = document.number, document.digest()
    return faults


def _unsigned_chains(
    found: dict[str, AuditEntry], known: dict[str, tuple[int, str]], signed: Sequence[SignedHeads]
) -> list[str]:
    """Name chains that are older than the last document and in none: they were added later."""
    if not signed:
        return []
    day_before = datetime.fromisoformat(signed[-1].at) - timedelta(days=1)
    added = (chain for chain in found if chain not in known and chain < f"{day_before:%Y%m%d}")
    return [f"{chain}: was added after its day was signed" for chain in sorted(added)]
