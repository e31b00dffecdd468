"""Faults of the protocol that are known and not mended yet; a run that meets one is not broken.

Each line goes with the change that mends it.
"""

import re

KNOWN = (
    (
        re.compile(r"is lost: no row"),
        "a second sending that fails takes the record of the first one",
    ),
    (
        re.compile(r"the photo of .* is lost"),
        "a photo is put before it lands: the emulator may die and come back in between",
    ),
    (
        re.compile(r"was made from another run's output|: outputs \["),
        "a rerun carries old outputs of the steps that it runs again",
    ),
)


def known(broken: str) -> str:
    """Return which known fault broke an invariant; empty for an unknown one."""
    return next((why for pattern, why in KNOWN if pattern.search(broken)), "")
