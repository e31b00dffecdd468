"""Hostile addresses through the guarded fetcher: nothing but public addresses is connected to.

Nor is anything unpacked, fetched longer than its time, or followed without end.
"""

import random
import socket
import time
from collections.abc import Callable

from imaginem.errors import PermanentError, RetryableError
from imaginem.images.fetching import REDIRECTS, GuardedFetcher
from imaginem.redaction import one_line
from tests.fuzz.addresses import SECRET, address_of
from tests.fuzz.bad_servers import PLAIN
from tests.fuzz.cases import Case, forget_peak, peak_megabytes
from tests.fuzz.network import PUBLIC, Network, is_elsewhere

_PATIENCE = 0.6
_GROWTH = 200.0
"""Megabytes that a fetch may take: of 20 MB there are a few copies."""


def prepare() -> Callable[[int], Case]:
    """Put the made-up network in place of this process's own."""
    network = Network()
    socket.getaddrinfo = network.look_up
    socket.create_connection = network.connect  # type: ignore[assignment]
    return lambda seed: play(seed, network)


def play(seed: int, network: Network) -> Case:
    """Fetch the address of a seed; nothing inside may be asked."""
    rng = random.Random(seed)
    before = network.inside
    network.asked, network.names, network.slow, network.body = [], {}, {}, PLAIN
    address, about = address_of(rng, network)
    forget_peak()
    megabytes = peak_megabytes()
    begun, breach = time.perf_counter(), ""
    try:
        body = GuardedFetcher(total_seconds=_PATIENCE)(address)
        outcome = "fetched"
        if not network.body.startswith(body):
            breach = f"{len(body)} bytes were fetched that were not sent so"
    except PermanentError as problem:
        outcome, breach = "refused", _told(str(problem))
    except RetryableError as problem:
        outcome, breach = "to be tried again", _told(str(problem))
    except Exception as problem:
        outcome, breach = "raised", f"{type(problem).__name__}: {problem}"[:300]
    seconds = time.perf_counter() - begun
    wrong = [each for each in network.asked if each not in PUBLIC and not is_elsewhere(each)]
    if wrong or network.inside != before:
        breach = f"{wrong} was connected to: {address!r}"
    if seconds > _PATIENCE + 4:
        breach = f"it took {seconds:.1f} s"
    if len(network.asked) > REDIRECTS + 1:
        breach = f"{len(network.asked)} connections were made"
    grown = peak_megabytes() - megabytes
    if grown > _GROWTH:
        breach = f"it took {grown:.0f} MB"
    return Case(seed, outcome, seconds, f"{about}: {address[:80]!r}", grown, breach)


def _told(reason: str) -> str:
    if SECRET in one_line(reason):
        return f"the reason tells a secret: {reason[:200]!r}"
    return "" if len(reason.splitlines()) == 1 else f"no line: {reason[:200]!r}"
