"""Faults of the protocol that are known and not mended yet; a run that meets one is not broken.

Each line goes with the change that mends it.
"""

import re

KNOWN: tuple[tuple[re.Pattern[str], str], ...] = ()


def known(broken: str) -> str:
    """Return which known fault broke an invariant; empty for an unknown one."""
    return next((why for pattern, why in KNOWN if pattern.search(broken)), "")
