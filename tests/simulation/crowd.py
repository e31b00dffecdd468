"""Many photos that go through a step over several of them, while workers and hosts die."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from imaginem.pipeline.progress_row import ProgressRow
from imaginem.pipeline.states import CONCLUDED, JobState, StepState
from imaginem.ports import JobKey, LogEntry
from tests.simulation import invariants
from tests.simulation.clock import simulated_time
from tests.simulation.host import LEASE_SECONDS
from tests.simulation.ledger import BrokenInvariant
from tests.simulation.plan import TOGETHER, Fault, Plan
from tests.simulation.steps import WITHIN, Pipeline
from tests.simulation.world import World, silence

PHOTOS = 900
GROUP = 9
SPREAD_SECONDS = 300.0
DEATHS = (
    Fault.WORKER_DIED_BEFORE,
    Fault.WORKER_DIED_AFTER,
    Fault.INSTANCE_DIED_BEFORE,
    Fault.INSTANCE_DIED_AFTER,
)
LONGEST_WAIT = WITHIN + LEASE_SECONDS + 5.0
"""A host that dies keeps its messages hidden until their leases end."""
LONGEST_AFTER_TWO_DEATHS = LONGEST_WAIT + LEASE_SECONDS
"""Of a photo that meets another death once it is taken up again, which few do."""

_PIPELINE = Pipeline(GROUP)


@dataclass
class Account:
    """What became of the photos.

    Attributes:
        waits: seconds between a photo's arrival at the step and its outcome.
        calls: how many calls there were, by how many photos each was for.
        happened: what went wrong, and how often.
    """

    waits: dict[JobKey, float] = field(default_factory=dict)
    calls: Counter[int] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)


class Crowd(World):
    """A run of many photos of one batch, which arrive one by one."""

    def __init__(self, seed: int, photos: int, deaths: float) -> None:
        super().__init__(_plan(seed, photos, deaths), pipeline=_PIPELINE)
        self.account = Account()
        self._arrived: dict[JobKey, float] = {}
        self.stores.log.on_change = self._changed

    def happens(self, what: str) -> bool:
        """Let every step do its work."""
        return False

    def sees(self, keys: Sequence[JobKey]) -> None:
        """Count the calls by how many photos each was for."""
        super().sees(keys)
        self.account.calls[len(keys)] += 1

    def play(self) -> None:
        """Send every photo, let everything come to rest, and look.

        Raises:
            BrokenInvariant: something does not hold.
        """
        self.pipeline.around = self
        self.machine.start()
        for batch, job, pipeline in self.plan.jobs:
            moment = self.chance.random() * SPREAD_SECONDS
            self.scheduler.start("people", self._submission((batch, job), pipeline), moment)
        self.scheduler.run(until=SPREAD_SECONDS + LONGEST_WAIT)
        self.come_to_rest()
        invariants.check(self)
        self._check_ends()
        self.account.happened.update(self.faults.happened)

    def _check_ends(self) -> None:
        rows = [ProgressRow(entry) for entry in self.stores.log.rows()]
        bad = [row.key for row in rows if row.job_state is not JobState.SUCCEEDED]
        if bad or len(rows) != len(self.plan.jobs):
            raise BrokenInvariant(f"{len(rows)} of {len(self.plan.jobs)} jobs, unsuccessful: {bad}")
        late = {
            key: wait for key, wait in self.account.waits.items() if wait > LONGEST_AFTER_TWO_DEATHS
        }
        if late or len(self.account.waits) != len(rows):
            raise BrokenInvariant(f"these waited too long: {late}")

    def _changed(self, before: LogEntry | None, after: LogEntry) -> None:
        """Measure how long a photo waits; what is recorded once stays, as the ledger checks."""
        self.ledger.changed(before, after)
        row = ProgressRow(after)
        state = row.state_of(TOGETHER)
        if state is StepState.GATHERING or state is StepState.PROCESSING:
            self._arrived.setdefault(row.key, self.clock.seconds)
        elif state in CONCLUDED and row.key not in self.account.waits:
            self.account.waits[row.key] = self.clock.seconds - self._arrived[row.key]


def _plan(seed: int, photos: int, deaths: float) -> Plan:
    pipeline = (TOGETHER, "report")
    return Plan(
        seed=seed,
        workers=8,
        jobs=tuple(("crowd", f"photo{number}", pipeline) for number in range(photos)),
        fault_rate=deaths,
        faults=DEATHS,
        loss_rate=0.0,
        stall_rate=0.0,
        events=(),
        defective=0.0,
        lasts=0.0,
        watchdogs=1,
        emulated=False,
        skewed=False,
        grouped=True,
    )


def play_crowd(seed: int, photos: int = PHOTOS, deaths: float = 0.002) -> Account:
    """Play a seed.

    Args:
        seed: decides all that is drawn.
        photos: how many.
        deaths: share of the calls of ports at which a worker or its host dies.

    Raises:
        BrokenInvariant: something does not hold.
    """
    world = Crowd(seed, photos, deaths)
    with simulated_time(world.clock, seed), silence():
        try:
            world.play()
        finally:
            world.end()
    return world.account
