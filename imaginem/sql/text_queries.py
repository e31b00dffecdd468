"""What the text indexes of all databases have in common: how a search is written down."""

from collections.abc import Callable, Collection, Iterable
from itertools import pairwise

from imaginem.ports.text_search import Term
from imaginem.ports.text_search.asks import Groups

MOST_CANDIDATES = 2_000
"""Words of one key that are compared, in Latin letters, and as many in others."""
_AFTER_Z = chr(ord("z") + 1)


def as_text(
    groups: Groups,
    marks: Collection[str],
    write: Callable[[Term], str],
    both: str,
    either: str,
) -> str:
    """Write groups in a query language whose operators are these."""
    every = (*groups, *((Term((mark,)),) for mark in marks))
    return both.join(f"({either.join(map(write, ways))})" for ways in every)


def spans_of(key: str) -> Iterable[tuple[str, str]]:
    """Return from where on and before what the tokens lie that begin with a key.

    Words in Latin letters come first: those of other scripts are not to be cut off.
    """
    return pairwise((key, f"{key}{_AFTER_Z}", key[:-1] + chr(ord(key[-1]) + 1)))
