"""Which deliveries a pipeline takes, and what each takes of storage: as its steps are declared.

The figures are those that `tests/contract/test_forecast_counts.py` compares with a storage
emulator's: reads and writes of the job's row and of what gathers, messages, reads of the photo.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from imaginem.pipeline.registry import Registry
from imaginem.ports import CoreSettings
from imaginem.ports.ledger import FUNCTIONS, STORAGE, Amount, LedgerItem

_BLIND = frozenset({"facematch", "pipelineoutput"})
"""Steps that don't look at the photo."""
_JOINS = 2
"""Deliveries of a photo in a group step: the one that joins, and later the one of the message that
held the photo while it waited."""


@dataclass(frozen=True)
class Planned:
    """A step in its place in a pipeline.

    Attributes:
        name: of the step.
        begins: a delivery begins with it.
        ends: a delivery ends with it.
        is_first: it is the pipeline's first step.
        is_last: it is the pipeline's last step.
        settles: it reads what a step before it in the delivery has found, which is written first.
        looks: it is the first of its delivery that may look at the photo.
        group: how many photos it works on at once; 0 for a step that sees one.
    """

    name: str
    begins: bool
    ends: bool
    is_first: bool
    is_last: bool
    settles: bool
    looks: bool
    group: int

    @property
    def deliveries(self) -> int:
        """How many deliveries of a photo begin with it."""
        return _JOINS if self.group else int(self.begins)

    def sheets(self, photos: int) -> float:
        """Return how many calls of a group step a photo takes, if so many photos come at once."""
        return math.ceil(photos / self.group) / photos if self.group and photos else 0.0


def planned(
    pipeline: Sequence[str], registry: Registry, settings: CoreSettings
) -> list[list[Planned]]:
    """Return the deliveries of a pipeline, each with its steps.

    A step that is not in the registry, as of another app, has a delivery of its own.
    """
    steps = registry.as_set(settings)
    deliveries: list[list[str]] = []
    for place, name in enumerate(pipeline):
        if place and _goes_on(pipeline[place - 1], name, steps, settings):
            deliveries[-1].append(name)
        else:
            deliveries.append([name])
    found = []
    for number, names in enumerate(deliveries):
        sights = [name for name in names if name not in _BLIND][:1]
        unwritten: list[str] = []
        planned_here = []
        for place, name in enumerate(names):
            settles = _reads(name, unwritten, steps)
            unwritten = [name] if settles else [*unwritten, name]
            planned_here.append(
                Planned(
                    name,
                    begins=place == 0,
                    ends=place == len(names) - 1,
                    is_first=number == place == 0,
                    is_last=number == len(deliveries) - 1 and place == len(names) - 1,
                    settles=settles,
                    looks=name in sights,
                    group=steps.get(name).group if name in steps else 0,
                )
            )
        found.append(planned_here)
    return found


def _goes_on(before: str, name: str, steps: Registry, settings: CoreSettings) -> bool:
    """Tell whether a step runs in the delivery of the one before, as `FusedRun.goes_on` has it."""
    if before not in steps or name not in steps:
        return False
    if steps.get(before).alone or steps.get(name).alone:
        return False
    return settings.fusion.joins(before, name)


def _reads(name: str, unwritten: Sequence[str], steps: Registry) -> bool:
    if name not in steps or not unwritten:
        return False
    step = steps.get(name)
    return step.finalizer or any(needed.name in unwritten for needed in step.requires)


def storage_of(step: Planned, photos: int) -> dict[LedgerItem, Amount]:
    """Return what a thousand photos take of storage in a step, besides its deliveries.

    Args:
        step: in its place.
        photos: how many come together, for steps over several of them.
    """
    sheets = step.sheets(photos)
    writes = step.is_first + step.settles + step.ends + (2 + 2 * sheets if step.group else 0)
    found = {
        "blob read": float(step.looks),
        "queue write": (step.ends and not step.is_last) + bool(step.group),
        "table read": step.is_first + (4 if step.group else 0),
        "table write": writes,
    }
    return {
        LedgerItem(step.name, STORAGE, operation): Amount(round(calls * 1000))
        for operation, calls in found.items()
        if calls
    }


def executions_of(step: Planned, seconds: float, photos: int) -> dict[LedgerItem, Amount]:
    """Return the executions of a thousand photos that begin with a step; none if none does.

    Args:
        step: in its place.
        seconds: that the steps of its delivery take for a photo.
        photos: how many come together.
    """
    if not step.begins:
        return {}
    calls = 1000 * step.deliveries
    if step.group:
        sheets = step.sheets(photos)
        most = min(step.group, photos) if photos else 0
        billed = calls + 1000 * sheets * max(0.0, seconds * most - 1)
    else:
        billed = 1000 * max(1.0, seconds)
    return {
        LedgerItem(step.name, FUNCTIONS, "execution"): Amount(calls, calls, billed),
        LedgerItem(step.name, STORAGE, "queue host"): Amount(2 * calls),
    }
