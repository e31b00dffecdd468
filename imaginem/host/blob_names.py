"""Lists a container in parts when it can't be listed as a whole.

The storage emulator answers 500 for a list in which a blob's name holds a control character. Only
the parts without such a name can be listed then.
"""

import logging
import string
from collections.abc import Callable, Iterable

from imaginem.errors import ImaginemError

_logger = logging.getLogger("imaginem.host")
_MOST_CALLS = 400
"""A part costs a call; names whose first characters are unusual may be missed."""
_NEXT = sorted(set(string.printable) - set(string.whitespace))


def names_by_parts(
    list_names: Callable[[str], list[str]], known: Iterable[str]
) -> tuple[set[str], list[str]]:
    """Return the names that can be listed, and the shortest prefixes that can't.

    Args:
        list_names: lists the names that start with a prefix.
        known: names that were there before: their folders are looked into first.
    """
    names: set[str] = set()
    folders = sorted({name.rpartition("/")[0] + "/" for name in known if "/" in name})
    failed = []
    waiting = [*folders[: _MOST_CALLS // 2], *_NEXT]
    for _ in range(_MOST_CALLS):
        if not waiting:
            break
        prefix = waiting.pop(0)
        try:
            names.update(list_names(prefix))
        except ImaginemError:
            failed.append(prefix)
            waiting += [prefix + character for character in _NEXT]
    return names, failed


def explain(container: str, problem: Exception, failures: int) -> None:
    """Log why a container can't be listed: at once, and less and less often when that lasts.

    Args:
        failures: in a row, from 1.
    """
    if _is_power_of_two(failures):
        expected = isinstance(problem, ImaginemError)
        _logger.warning(
            "the container %s can't be listed: %s; trying again",
            container,
            problem,
            exc_info=None if expected else problem,
        )


def explain_part(container: str, prefix: str, failures: int) -> None:
    """Log which part of a container can't be listed."""
    if _is_power_of_two(failures):
        _logger.warning(
            "the container %s is listed in parts: a name that begins with %r stops the list, "
            "perhaps by a control character in it: remove that blob",
            container,
            prefix,
        )


def _is_power_of_two(number: int) -> bool:
    return number & (number - 1) == 0
