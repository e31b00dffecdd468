"""`imaginem receipt`: the receipts of erasures."""

from pathlib import Path
from typing import Annotated

import typer

from imaginem.cli.shared import App, Json, exit_on_error, fail, make_runtime, out, print_json
from imaginem.errors import InvalidMessage
from imaginem.ports import DashboardServices
from imaginem.usecases.erasables import still_on_disk
from imaginem.usecases.kept_receipts import (
    as_json,
    find_receipt,
    is_genuine,
    list_receipts,
    read_receipt,
)
from imaginem.usecases.receipt_words import what_waits
from imaginem.usecases.receipts import Receipt

receipt_app = typer.Typer(no_args_is_help=True, help="What was erased, and what is still to come.")
_LIMIT = 100_000
_LEFT = "came since: the job was sent again"
_LEFT_OF_FACE = "left: its job is at work, and they go when it has ended"


@receipt_app.command("list")
def list_(as_json_: Json = False, app: App = Path()) -> None:
    """List the receipts of erasures by hand, the latest first."""
    with exit_on_error():
        found = list_receipts(make_runtime(app))
    if as_json_:
        print_json([as_json(receipt) for receipt in found])
    elif not found:
        out.print("nothing was erased by hand")
    for receipt in () if as_json_ else found:
        state = "final" if receipt.final else "not final"
        _print(
            f"{receipt.id}  {_moment(receipt)}  {receipt.kind:5}  jobs {receipt.jobs:3}  {state}"
        )


@receipt_app.command("show")
def show(
    receipt_id: Annotated[str, typer.Argument(metavar="ID")],
    as_json_: Json = False,
    app: App = Path(),
) -> None:
    """Show a receipt; with --json, as it was signed."""
    with exit_on_error():
        runtime = make_runtime(app)
        receipt = find_receipt(runtime, receipt_id)
    if as_json_:
        print_json(as_json(receipt))
        return
    state = "final" if receipt.final else "not final"
    _print(f"{receipt.kind} erased {_moment(receipt)} UTC; jobs: {receipt.jobs}; {state}")
    tell_receipt(runtime, receipt)


@receipt_app.command("verify")
def verify(file: Path, as_json_: Json = False, app: App = Path()) -> None:
    """Find out whether this installation has signed a receipt, as it stands in a file."""
    with exit_on_error():
        with file.open(encoding="utf-8", errors="replace") as opened:
            text = opened.read(_LIMIT)
        try:
            receipt = read_receipt(text)
        except InvalidMessage as problem:
            fail(f"{file}: {problem}")
        genuine = is_genuine(make_runtime(app), receipt)
    if as_json_:
        print_json({"id": receipt.id, "genuine": genuine, "final": receipt.final})
    elif genuine:
        _print(f"receipt {receipt.id} is genuine, {'' if receipt.final else 'not '}final")
    if not genuine:
        fail("the receipt was changed, or another installation has signed it")


def as_answer(services: DashboardServices, receipt: Receipt) -> dict[str, object]:
    """Return a receipt as the answer to an erasure, for programs."""
    waits = what_waits(services, receipt)
    return {**as_json(receipt), "waits": waits, "remains": still_on_disk(services.remains)}


def tell_receipt(services: DashboardServices, receipt: Receipt) -> None:
    """Print what went from where, and what is still to come."""
    left = _LEFT_OF_FACE if receipt.kind == "face" else _LEFT
    for place, count in receipt.removed.items():
        _print(f"  {place}: {count}")
    for place, count in receipt.swept.items():
        _print(f"  {place}: {count} were found later")
    for place, count in receipt.left.items():
        _print(f"  {place}: {count} {left}")
    for sentence in what_waits(services, receipt):
        _print(sentence)
    _print(f"receipt: {receipt.id}")


def _moment(receipt: Receipt) -> str:
    return receipt.at[:16].replace("T", " ")


def _print(line: str) -> None:
    out.print(line, highlight=False, markup=False)
