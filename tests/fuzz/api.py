"""`python -m tests.fuzz.api --runs N --seed S`: plays runs of the API, and tells what was reached.

Ends with 1 if something did not hold, or if an operation or a page never answered well.
"""

import argparse
import sys
import time

from tests.fuzz.api_asking import REPORT
from tests.fuzz.api_requests import LABELS
from tests.fuzz.api_runs import play

_AT_ONCE = 50
"""Runs that hypothesis plays before it forgets them: it gets slower by what it remembers."""


def main() -> int:
    """Play; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sqlite", action="store_true", help="keep results in SQLite")
    parser.add_argument("--shrink", action="store_true", help="look for the fewest steps that fail")
    wanted = parser.parse_args()
    begun = time.monotonic()
    try:
        for first in range(0, wanted.runs, _AT_ONCE):
            runs = min(_AT_ONCE, wanted.runs - first)
            play(runs, wanted.seed + first, sqlite=wanted.sqlite, shrink=wanted.shrink)
            print(f"{REPORT.told}, {time.monotonic() - begun:.0f} s", flush=True)
    except BaseException:
        print(f"failed after {REPORT.told}", flush=True)
        raise
    for name in LABELS:
        print(f"{name:55} {dict(sorted(REPORT.answers[name].items()))}")
    never_done = REPORT.never_done(LABELS)
    for name in never_done:
        print(f"never done: {name}")
    return 1 if never_done else 0


if __name__ == "__main__":
    sys.exit(main())
