"""`make fuzz`: plays hostile messages, photo files and addresses; ends with 1 if one does harm."""

import argparse
import os
import sys
import time

from rich.console import Console
from rich.table import Table

from tests.fuzz import images, messages, urls
from tests.fuzz.apart import Prepare, play_apart
from tests.fuzz.cases import Tally
from tests.simulation.campaign import cores

_KINDS: dict[str, tuple[Prepare, int]] = {
    "messages": (messages.prepare, 100_000),
    "images": (images.prepare, 10_000),
    "urls": (urls.prepare, 1_000),
}
_SHOWN = 20


def main() -> int:
    """Play what the environment asks for; return 1 if an invariant broke."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--only", default=os.environ.get("ONLY") or "", choices=["", *_KINDS])
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED") or 0))
    parser.add_argument("--processes", type=int, default=cores())
    given = parser.parse_args()
    console = Console(width=150)
    breaches = 0
    for kind, (prepare, usual) in _KINDS.items():
        count = int(os.environ.get(kind.upper()) or usual)
        if given.only in ("", kind) and count:
            breaches += _play(console, kind, prepare, range(given.seed, given.seed + count), given)
    return 1 if breaches else 0


def _play(
    console: Console, kind: str, prepare: Prepare, seeds: range, given: argparse.Namespace
) -> int:
    begun, tally = time.perf_counter(), Tally()
    for case in play_apart(prepare, seeds, min(given.processes, len(seeds))):
        tally.add(case)
        if case.breach and len(tally.breaches) <= _SHOWN:
            told = f"{kind}, seed {case.seed} ({case.about}): {case.breach}"
            console.print(told, markup=False, highlight=False)
            console.print(f"  again: make fuzz ONLY={kind} SEED={case.seed} {kind.upper()}=1")
    console.print(_table(kind, tally))
    console.print(f"{tally.count:,} {kind} in {time.perf_counter() - begun:.0f} s\n")
    return len(tally.breaches)


def _table(kind: str, tally: Tally) -> Table:
    table = Table(kind, "", title=f"{tally.count:,} {kind}")
    for outcome, times in tally.outcomes.most_common():
        table.add_row(outcome, f"{times:,}")
    slowest, largest = tally.slowest, tally.largest
    table.add_row("slowest", f"{slowest.seconds:.2f} s: seed {slowest.seed}, {slowest.about}"[:110])
    if largest.megabytes:
        table.add_row("most memory", f"{largest.megabytes:.0f} MB: seed {largest.seed}")
    table.add_row("breaches", f"{len(tally.breaches):,}")
    return table


if __name__ == "__main__":
    sys.exit(main())
