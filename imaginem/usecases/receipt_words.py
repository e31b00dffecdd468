"""What a receipt of an erasure says of what is still to come, in sentences."""

from datetime import datetime

from imaginem.ports import AuditSubject, DashboardServices
from imaginem.usecases.erasables import still_on_disk
from imaginem.usecases.receipts import Receipt


def what_waits(services: DashboardServices, receipt: Receipt) -> list[str]:
    """Return what of an erasure is not gone yet, and when it is, by now."""
    return [_final(services, receipt), *_elsewhere(services, receipt)]


def _final(services: DashboardServices, receipt: Receipt) -> str:
    if receipt.final:
        return f"This is final, since {_moment(receipt.final_at)}"
    soonest = _moment(receipt.final_after)
    # A timer that always runs completes the erasure of faces.
    if services.core_settings.looks_again or receipt.kind == AuditSubject.FACE:
        return (
            f"This is final at {soonest} at the earliest: all stores are looked through once more "
            "when nothing can be at work any more that was at work"
        )
    return (
        "This does not become final by itself, since WATCHDOG_MINUTES is 0: erase the same once "
        f"more after {soonest}"
    )


def _elsewhere(services: DashboardServices, receipt: Receipt) -> list[str]:
    told = []
    if receipt.backup_days:
        told.append(
            f"Backups and deleted files are kept for {receipt.backup_days} days, and it is in them "
            "until then"
        )
    else:
        told.append("Imaginem makes no backups here: copies that you make yourself have it")
    if receipt.leaving:
        told.append(
            f"{receipt.leaving} faces of this and other erasures wait to be removed at Azure Face, "
            "which takes minutes"
        )
    if receipt.on_disk:
        told.append(still_on_disk(services.remains) or "It has left this machine's disk since")
    return told


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC"
