"""Simulated time: whatever asks for the time, for chance or for an id gets the simulator's.

Production code reads the clock with `datetime.now`, `time` and `random`, as any code does. For as
long as a run lasts, the modules that a run reaches find these names bound to the simulated ones,
so that a seed decides everything and no production code has to know of it.
"""

import random
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from types import ModuleType

_START = 1_750_000_000.0
_REACHED = ("imaginem.pipeline.", "imaginem.usecases.", "imaginem.memory.", "imaginem.ports.")
_STORAGE = "imaginem.memory."


class Clock:
    """The time of a run.

    Attributes:
        seconds: since the run began; never goes back.
        offset: by which the machine's wall clock is wrong, in seconds.
        skew: by which the storage service's wall clock is wrong; None if it is the machine's.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.offset = 0.0
        self.skew: float | None = None
        self._ids = 0

    def read(self) -> float:
        """Return the seconds since the run began."""
        return self.seconds

    def machine(self) -> float:
        """Return the machine's wall clock, as `time.time` does."""
        return _START + self.seconds + self.offset

    def storage(self) -> float:
        """Return the storage service's wall clock."""
        return self.machine() if self.skew is None else _START + self.seconds + self.skew

    def next_id(self) -> uuid.UUID:
        """Return an id that was not given yet."""
        self._ids += 1
        return uuid.UUID(int=self._ids)


class _Uuid:
    """Stands for the module `uuid`."""

    UUID = uuid.UUID
    NAMESPACE_URL = uuid.NAMESPACE_URL
    NAMESPACE_OID = uuid.NAMESPACE_OID
    uuid5 = staticmethod(uuid.uuid5)

    def __init__(self, clock: Clock) -> None:
        self.uuid4 = clock.next_id


class _Time:
    """Stands for the module `time`; nothing that is simulated may sleep."""

    def __init__(self, clock: Clock) -> None:
        self.time = clock.machine
        self.monotonic = clock.read
        self.perf_counter = clock.read


class _Moments:
    """Makes stand-ins for the class `datetime`."""

    def __init__(self, clock: Clock) -> None:
        class Machine(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # a plain one
                return datetime.fromtimestamp(clock.machine(), tz)

        class Storage(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # a plain one
                return datetime.fromtimestamp(clock.storage(), tz)

        self.machine, self.storage = Machine, Storage


def _reached() -> Iterator[tuple[ModuleType, str, object]]:
    """Yield module, name and value of all that is to be replaced."""
    originals = {"datetime": datetime, "time": time, "uuid": uuid}
    for name, module in sorted(sys.modules.items()):
        if name.startswith(_REACHED):
            for attribute, value in originals.items():
                if vars(module).get(attribute) is value:
                    yield module, attribute, value


@contextmanager
def simulated_time(clock: Clock, seed: int) -> Iterator[None]:
    """Let the production code live in the time of a run, and draw from its seed."""
    moments = _Moments(clock)
    replacements = {"time": _Time(clock), "uuid": _Uuid(clock)}
    replaced, chance = list(_reached()), random.getstate()
    random.seed(seed)
    try:
        for module, attribute, _ in replaced:
            of_storage = module.__name__.startswith(_STORAGE)
            moment = moments.storage if of_storage else moments.machine
            setattr(module, attribute, replacements.get(attribute, moment))
        yield
    finally:
        for module, attribute, value in replaced:
            setattr(module, attribute, value)
        random.setstate(chance)
