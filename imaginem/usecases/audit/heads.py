"""Signed heads: each day, how far every chain of the audit trail had come, under a signature.

A document names the chains that have grown since the one before, whose digest it holds. So the
documents are a chain, too.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from imaginem.errors import Conflict
from imaginem.ports import (
    NO_DIGEST,
    AuditTrail,
    Blobs,
    DashboardServices,
    InstallationKey,
    is_signed,
)

CONTAINER = "audit"
_FOLDER = "heads/"
_USE = "audit.heads"
_BYTES = 64 * 1024 * 1024
_MOST_DAYS = 2
"""Days that a chain may be older than a document before it: chains are begun afresh each day."""


@dataclass(frozen=True)
class SignedHeads:
    """A document of heads.

    Attributes:
        number: from 1.
        at: when it was signed, in UTC.
        heads: number and digest of the last entry of each chain that has grown.
        kept_from: chains whose name sorts before it were removed, since they were too old.
        previous: digest of the document before.
        mac: its signature.
    """

    number: int
    at: str
    heads: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    kept_from: str = ""
    previous: str = NO_DIGEST
    mac: str = ""

    def _signed_text(self) -> bytes:
        told = {name: value for name, value in asdict(self).items() if name != "mac"}
        return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()

    def signature(self, key: InstallationKey) -> str:
        """Return the signature that it must have."""
        return key.mac(_USE, self._signed_text())

    def is_signed_by(self, key: InstallationKey) -> bool:
        """Tell whether this installation has signed it, as it is."""
        return is_signed(key, _USE, self._signed_text(), self.mac)

    def digest(self) -> str:
        """Return what the document after it holds of it."""
        return hashlib.sha256(self._signed_text() + self.mac.encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """Return it as it is kept."""
        return asdict(self)


def heads_of_json(value: Any) -> SignedHeads:
    """Read a document. Raises ValueError: it is none."""
    try:
        heads = {str(c): (int(n), str(d)) for c, (n, d) in value["heads"].items()}
        texts = {name: str(value[name]) for name in ("at", "kept_from", "previous", "mac")}
        return SignedHeads(number=int(value["number"]), heads=heads, **texts)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise ValueError("this is no document of signed heads") from None


def documents(blobs: Blobs) -> list[SignedHeads]:
    """Return the documents that are kept, by number. Raises ValueError: one can't be read."""
    return [_read(blobs, name) for name in blobs.list(CONTAINER, _FOLDER)]


def _read(blobs: Blobs, name: str) -> SignedHeads:
    return heads_of_json(json.loads(blobs.get(CONTAINER, name, _BYTES)))


def sign_daily(services: DashboardServices, now: datetime | None = None) -> SignedHeads | None:
    """Sign the heads unless that was done today; return the new document."""
    today = (now or datetime.now(UTC)).astimezone(UTC)
    last = _last(services.blobs)
    if last is not None and last.at[:10] == today.isoformat()[:10]:
        return None
    return sign(services, today)


def sign(services: DashboardServices, now: datetime | None = None) -> SignedHeads | None:
    """Sign the heads of all chains that have grown, and export them.

    With `RETENTION_AUDIT_DAYS`, chains that are older are removed once that is signed.

    Returns:
        None if another instance did so at this moment.
    """
    at = (now or datetime.now(UTC)).astimezone(UTC)
    last = _last(services.blobs)
    days = services.core_settings.retention.audit
    kept_from = f"{at - timedelta(days=days):%Y%m%d}" if days else ""
    kept_from = max(kept_from, last.kept_from if last else "")
    made = SignedHeads(
        number=last.number + 1 if last else 1,
        at=at.isoformat(timespec="seconds"),
        heads=_grown(services.audit_trail, services.blobs, last, kept_from),
        kept_from=kept_from,
        previous=last.digest() if last else NO_DIGEST,
    )
    signed = SignedHeads(**{**vars(made), "mac": made.signature(services.installation_key)})
    data = json.dumps(signed.as_json(), indent=1).encode()
    name = f"{_FOLDER}{signed.number:08}.json"
    try:
        services.blobs.put(CONTAINER, name, data, "application/json", only_new=True)
    except Conflict:
        return None
    if kept_from:
        _remove_old(services.audit_trail, kept_from)
    return signed


def _last(blobs: Blobs) -> SignedHeads | None:
    names: Sequence[str] = blobs.list(CONTAINER, _FOLDER)
    return _read(blobs, names[-1]) if names else None


def _grown(
    trail: AuditTrail, blobs: Blobs, last: SignedHeads | None, kept_from: str
) -> dict[str, tuple[int, str]]:
    """Return number and digest of the last entry of each chain that may have grown."""
    since = kept_from
    if last is not None:
        first = datetime.fromisoformat(last.at) - timedelta(days=_MOST_DAYS)
        since = max(since, f"{first:%Y%m%d}")
    heads: dict[str, tuple[int, str]] = {}
    for entry in trail.read(since):
        heads[entry.chain] = (entry.number, entry.digest)
    if last is None:
        return heads
    known = known_heads(documents(blobs))
    # A head never goes back: what was cut off since stays visible.
    return {c: head for c, head in heads.items() if head[0] > known.get(c, (0, ""))[0]}


def known_heads(signed: Sequence[SignedHeads]) -> dict[str, tuple[int, str]]:
    """Return the furthest head of each chain."""
    known: dict[str, tuple[int, str]] = {}
    for document in signed:
        known.update(document.heads)
    return known


def _remove_old(trail: AuditTrail, kept_from: str) -> None:
    for chain in sorted({entry.chain for entry in trail.read(until=kept_from)}):
        trail.remove_chain(chain)
