"""Plays many seeds on every core, and adds up what happened."""

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from tests.simulation.world import Report, run

_CHUNK = 50


@dataclass
class Campaign:
    """The sum of many runs.

    Attributes:
        broken: reports of the seeds that broke an invariant.
        happened: what there was of everything.
    """

    seeds: int = 0
    broken: list[Report] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Campaign") -> None:
        """Add the sum of other runs."""
        self.seeds += other.seeds
        self.broken += other.broken
        self.happened.update(other.happened)


def play(
    seeds: range, *, erasing: bool = False, fused: bool | None = None, grouped: bool = False
) -> Campaign:
    """Play some seeds in this process; see `run` for what else may be chosen."""
    campaign = Campaign()
    for seed in seeds:
        report = run(seed, erasing=erasing, fused=fused, grouped=grouped)
        campaign.seeds += 1
        campaign.happened.update(report.happened)
        if report.broken:
            campaign.broken.append(report)
    return campaign


def play_all(
    first: int,
    count: int,
    processes: int,
    on_part: Callable[[Campaign], None],
    *,
    erasing: bool = False,
    fused: bool | None = None,
    grouped: bool = False,
) -> Campaign:
    """Play seeds side by side; `on_part` is told of each part that was played."""
    campaign = Campaign()
    chosen = partial(play, erasing=erasing, fused=fused, grouped=grouped)
    for part in _parts(first, count, processes, chosen):
        campaign.add(part)
        on_part(part)
    return campaign


def _parts(
    first: int, count: int, processes: int, play_some: Callable[[range], Campaign]
) -> Iterator[Campaign]:
    end = first + count
    chunks = [range(at, min(at + _CHUNK, end)) for at in range(first, end, _CHUNK)]
    if processes == 1:
        yield from map(play_some, chunks)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap_unordered(play_some, chunks)


def cores() -> int:
    """Return how many processes may work at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
