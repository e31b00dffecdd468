"""Models of the API's answers on erasures, and what becomes of them."""

from pydantic import Field

from imaginem.ports import DashboardServices
from imaginem.usecases.erasables import still_on_disk
from imaginem.usecases.kept_receipts import as_json
from imaginem.usecases.receipt_words import what_waits
from imaginem.usecases.receipts import Receipt as IssuedReceipt
from imaginem.web.models import Answer


class Receipt(Answer):
    """The receipt of an erasure, as it was signed: it names nobody.

    `removed`, `left` and `swept` count entries by table or container: those that went, those that
    a job has which was sent again meanwhile, and those that were found when everything was looked
    through once more. `subject` is a keyed hash.
    """

    id: str = Field(examples=["0f8fad5bd9cb469fa16570867728950e"])
    at: str = Field(examples=["2026-11-27T12:00:00+00:00"])
    kind: str = Field(examples=["job"])
    subject: str
    jobs: int
    removed: dict[str, int]
    left: dict[str, int] = Field(default_factory=dict)
    swept: dict[str, int] = Field(default_factory=dict)
    final: bool
    final_after: str = ""
    final_at: str = ""
    backup_days: int
    on_disk: bool = False
    leaving: int = 0
    mac: str


class Forgotten(Receipt):
    """The receipt, and in `waits` what of the erasure is still to come, in sentences.

    `remains` is the one of them that tells what still waits on this machine's disk.
    """

    waits: list[str]
    remains: str = ""


def present_receipt(receipt: IssuedReceipt) -> Receipt:
    """Return a receipt."""
    return Receipt.model_validate(as_json(receipt))


def present_erasure(services: DashboardServices, receipt: IssuedReceipt) -> Forgotten:
    """Return the answer to an erasure."""
    waits, remains = what_waits(services, receipt), still_on_disk(services.remains)
    return Forgotten.model_validate({**as_json(receipt), "waits": waits, "remains": remains})
