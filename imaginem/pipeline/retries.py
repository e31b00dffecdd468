"""How long a message waits before its step is tried again, and what the row says of it."""

import random

from imaginem.errors import Busy, RetryableError
from imaginem.message import Bookkeeping
from imaginem.ports import CoreSettings

_LONGEST_DELAY = 15 * 60.0
_LONGEST_WAIT = 5 * 60.0
_LONGEST_RETRY_AFTER = 60 * 60.0  # the other side decides how long; not for how many days
_LONGEST_BUSY = 7 * 24 * 60 * 60.0  # Azure Storage hides a message for no longer


def retry_delay(attempt: int, base: float, at_least: float | None) -> float:
    """Return the seconds to wait before a try: doubling, jittered, never under Retry-After.

    Args:
        attempt: tries that failed so far, from 1.
        base: seconds before the second try.
        at_least: Retry-After of the other side, when it named one.
    """
    growing: float = min(base * 2 ** min(attempt - 1, 20), _LONGEST_DELAY)
    jittered = growing * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, guards nothing
    return max(jittered, min(at_least or 0.0, _LONGEST_RETRY_AFTER))


def busy_delay(waits: int, base: float, at_least: float | None) -> float:
    """Return the seconds to wait for a turn: growing slowly, so that old jobs aren't outrun.

    Args:
        waits: times that the service was busy so far, from 1.
        base: seconds of the first wait at least.
        at_least: Retry-After of the service, when it named one; a used-up quota may take days.
    """
    growing: float = min(max(base, at_least or 0.0) * 1.2 ** (waits - 1), _LONGEST_WAIT)
    jittered = growing * random.uniform(1.0, 1.5)  # noqa: S311 - spreads load, guards nothing
    told = at_least or 0.0
    if told <= jittered:
        return jittered
    # All messages were told the same moment: they come back one after the other.
    return min(told + jittered, _LONGEST_BUSY)


def may_retry(problem: RetryableError, kept: Bookkeeping, settings: CoreSettings) -> bool:
    """Tell whether the step may be tried again: waiting for a busy service costs no try."""
    if isinstance(problem, Busy):
        return kept.waits < settings.max_waits
    return not is_last_try(kept, settings)


def is_last_try(kept: Bookkeeping, settings: CoreSettings) -> bool:
    """Tell whether this is the last try of the step that may fail."""
    return kept.attempt + 1 >= settings.max_attempts


def next_try(
    problem: RetryableError, kept: Bookkeeping, settings: CoreSettings
) -> tuple[Bookkeeping, float, str]:
    """Return the bookkeeping of the next try, the seconds until then, and its count in words."""
    base = settings.retry_seconds
    if isinstance(problem, Busy):
        waits = kept.waits + 1
        delay = busy_delay(waits, base, problem.retry_after)
        count = f"wait {waits} of {settings.max_waits}"
        return kept.model_copy(update={"waits": waits}), delay, count
    attempt = kept.attempt + 1
    delay = retry_delay(attempt, base, problem.retry_after)
    count = failed_try(attempt, settings.max_attempts)
    return kept.model_copy(update={"attempt": attempt}), delay, count


def failed_try(number: int, most: int) -> str:
    """Return the count of a try that failed, in the words of every row and log line."""
    return f"try {number} of {most} failed"
