"""Receipts of erasures: issued with an id and a signature, kept, found again and verified."""

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from imaginem.errors import InvalidMessage, NotFound
from imaginem.ports import DashboardServices, is_signed
from imaginem.ports.cursors import cursor_after, read_names
from imaginem.usecases.receipts import Contents, Receipt

_USE = "receipt"
_ID = re.compile(r"[0-9a-f]{32}")
_TYPE = TypeAdapter(Receipt)
_BESIDE = {"waits", "remains"}
"""What the answer to an erasure tells besides, which changes and is not signed."""

NOTHING_AT_WORK_AFTER = timedelta(minutes=90)
"""After this nothing can be at work any more that was at work, or delayed, at an erasure.

A message is delayed for an hour at most (`pipeline/retries.py`), unless a service's quota is used
up; a function runs for ten minutes at most (`functionTimeout` in host.json); the rest is slack.
"""


def new_id() -> str:
    """Return an id that nobody can guess."""
    return uuid.uuid4().hex


def issue(
    services: DashboardServices,
    done: Receipt,
    kind: str,
    subject: str,
    *,
    sweep: str = "",
    wait: timedelta = NOTHING_AT_WORK_AFTER,
    now: datetime | None = None,
) -> Receipt:
    """Sign and keep the receipt of an erasure by hand, and return it.

    Args:
        services: keep it.
        done: what went from where.
        kind: of what was erased: `job`, `batch`, `face` or `photo`.
        subject: a keyed hash of it.
        sweep: the id that `plan_sweep` returned; empty if there is nothing to look for later:
            then the receipt is final at once.
        wait: after this the sweep is done at the earliest.
        now: when it was erased.
    """
    at = (now or datetime.now(UTC)).astimezone(UTC)
    made = replace(
        done,
        id=sweep or new_id(),
        at=_written(at),
        kind=kind,
        subject=subject,
        backup_days=services.core_settings.backup_days,
        on_disk=services.remains.waiting,
        leaving=services.gallery.leaving(),
        final_after=_written(at + wait) if sweep else "",
    )
    return keep(services, made) if sweep else finalise(services, made, at, made.left)


def finalise(
    services: DashboardServices, receipt: Receipt, now: datetime, left: Contents
) -> Receipt:
    """Make a receipt final, with what is still waiting by now; sign and keep it anew.

    Args:
        services: keep it.
        receipt: that becomes final.
        now: the moment.
        left: what is there by now, by table, container or folder.
    """
    return keep(
        services,
        replace(
            receipt,
            left=dict(sorted(left.items())),
            final=True,
            final_at=_written(now.astimezone(UTC)),
            on_disk=services.remains.waiting,
            leaving=services.gallery.leaving(),
        ),
    )


def keep(services: DashboardServices, receipt: Receipt) -> Receipt:
    """Sign a receipt, keep it in place of what is kept under its id, and return it."""
    signed = replace(receipt, mac=services.installation_key.mac(_USE, _signed_text(receipt)))
    services.receipts.keep(signed.id, json.dumps(as_json(signed), sort_keys=True))
    return signed


def find_receipt(services: DashboardServices, receipt_id: str) -> Receipt:
    """Return a receipt.

    Raises:
        NotFound: there is none of this id.
    """
    text = services.receipts.read(receipt_id) if _ID.fullmatch(receipt_id) else None
    if text is None:
        raise NotFound(f"there is no receipt {receipt_id[:80]}")
    return read_receipt(text)


def list_receipts(services: DashboardServices) -> list[Receipt]:
    """Return every receipt, the latest first."""
    return sorted(map(read_receipt, services.receipts.all()), key=_place, reverse=True)


@dataclass(frozen=True)
class ReceiptPage:
    """Some receipts, the latest first; `cursor` leads to the next ones and is empty at the end."""

    receipts: Sequence[Receipt]
    cursor: str = ""


def receipt_page(services: DashboardServices, cursor: str = "", limit: int = 100) -> ReceiptPage:
    """Return some receipts, the latest first.

    Their ids are random, so the table knows no order: all of them are read for each page.

    Raises:
        InvalidMessage: the cursor is not valid.
    """
    after = read_names(cursor, 2) if cursor else None
    fitting = [r for r in list_receipts(services) if after is None or _place(r) < after]
    shown = fitting[:limit]
    return ReceiptPage(shown, cursor_after(*_place(shown[-1])) if len(fitting) > limit else "")


def _place(receipt: Receipt) -> tuple[str, ...]:
    return receipt.at, receipt.id


def read_receipt(text: str) -> Receipt:
    """Read a receipt from the JSON in which it is kept and given away.

    Raises:
        InvalidMessage: this is none.
    """
    names = {field.name for field in fields(Receipt)}
    try:
        value = json.loads(text)
        if not isinstance(value, dict) or not {"id", "mac"} <= value.keys() <= names | _BESIDE:
            raise InvalidMessage("this is no receipt of an erasure: it has other fields")
        own = {name: field for name, field in value.items() if name in names}
        return _TYPE.validate_json(json.dumps(own), strict=True)
    except (ValidationError, ValueError, RecursionError):
        raise InvalidMessage("this is no receipt of an erasure") from None


def is_genuine(services: DashboardServices, receipt: Receipt) -> bool:
    """Tell whether this installation has signed a receipt, as it is."""
    return is_signed(services.installation_key, _USE, _signed_text(receipt), receipt.mac)


def as_json(receipt: Receipt) -> dict[str, Any]:
    """Return a receipt as it is kept."""
    return {
        name: dict(value) if isinstance(value, Mapping) else value
        for name, value in vars(receipt).items()
    }


def _signed_text(receipt: Receipt) -> bytes:
    told = {name: value for name, value in as_json(receipt).items() if name != "mac"}
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


def _written(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
