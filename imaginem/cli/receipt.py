"""Shows what an erasure removed from where."""

from imaginem.cli.shared import out
from imaginem.usecases.receipts import Receipt


def show_receipt(done: Receipt, remains: str) -> None:
    """Print how much went from which store, what came since, and what still waits on the disk."""
    for place, count in done.removed.items():
        out.print(f"  {place}: {count}", highlight=False, markup=False)
    for place, count in done.left.items():
        line = f"  {place}: {count} came since: the job was sent again"
        out.print(line, highlight=False, markup=False)
    if remains:
        out.print(remains, highlight=False, markup=False)
