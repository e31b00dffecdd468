"""What an instance reaches: ports that may fail, and memory of its own."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from imaginem.images.photo_cache import PhotoCache
from imaginem.memory.audit import MemoryAuditTrail
from imaginem.memory.drops import MemoryDrops
from imaginem.memory.installation_key import MemoryInstallationKey
from imaginem.memory.poison import MemoryPoison
from imaginem.memory.receipts import MemoryReceipts
from imaginem.memory.shared_state import MemorySharedState
from imaginem.memory.storage import MemoryBlobs
from imaginem.memory.stores import MemoryStores
from imaginem.memory.tombstones import MemoryTombstones
from imaginem.pipeline.budgets import NotedBudgets
from imaginem.pipeline.cancelling import CancelledBatches
from imaginem.pipeline.engine_choices import NotedEngineChoices
from imaginem.pipeline.erased import NotedErasures
from imaginem.pipeline.open_batches import NotedBatches
from imaginem.pipeline.paused_batches import PausedBatches
from imaginem.ports import (
    FACES,
    RECOGNIZER,
    CoreSettings,
    EngineKind,
    Engines,
    EngineT,
    Erasable,
    Fusion,
    MaintenanceJob,
    NoLanding,
    NoRemains,
    Pause,
    PriceList,
)
from imaginem.ports.ledger import FUNCTIONS
from imaginem.ports.prices import Price
from imaginem.telemetry.silent import SilentTelemetry
from imaginem.usecases.audit.chain import ChainWriter
from imaginem.usecases.erasables import erasables_of
from tests.simulation.alarms import SimulatedAlarms
from tests.simulation.clock import Clock
from tests.simulation.engines import OneFace, recognizer_of
from tests.simulation.faults import Faults, Port
from tests.simulation.scheduler import Scheduler
from tests.simulation.stores import LooseQueues, MarkedLanding, WatchedLog

BUDGET_USED_UP = "batch paused by its budget"
SETTINGS = CoreSettings(
    default_pipeline=("looks", "report"),
    max_attempts=3,
    max_waits=3,
    max_dequeue_count=3,
    retry_seconds=2.0,
    fusion=Fusion(),
)


@dataclass
class Stores:
    """What is outside: it outlives every process."""

    queues: LooseQueues
    log: WatchedLog
    landing: MarkedLanding
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    poison: MemoryPoison = field(default_factory=MemoryPoison)
    drops: MemoryDrops = field(default_factory=MemoryDrops)
    receipts: MemoryReceipts = field(default_factory=MemoryReceipts)
    shared_state: MemorySharedState = field(default_factory=MemorySharedState)
    tombstones: MemoryTombstones = field(default_factory=MemoryTombstones)
    sql: MemoryStores = field(default_factory=MemoryStores)


class Counting(SilentTelemetry):
    """Counts what the summary tells of."""

    def __init__(self, happened: Counter[str]) -> None:
        self._happened = happened

    def count(self, name: str, amount: float = 1, **attributes: str) -> None:
        """Count messages that were sent in place of lost ones, and outputs that were reused."""
        if name == "imaginem.resent":
            self._happened[f"watchdog: {attributes['outcome']}"] += 1
        if name == "imaginem.reused":
            self._happened["outputs reused"] += 1


class CountedPauses(PausedBatches):
    """Counts how often a budget pauses a batch."""

    happened: Counter[str]

    def pause(self, batch_id: str, pause: Pause) -> None:
        super().pause(batch_id, pause)
        if pause.of_budget:
            self.happened[BUDGET_USED_UP] += 1


class Surroundings(Protocol):
    """What the ports are made of."""

    stores: Stores
    faults: Faults
    scheduler: Scheduler
    clock: Clock
    happened: Counter[str]


class SimulatedServices(Engines):
    """A whole Imaginem on ports that may fail; `restarted` gives one without memory.

    Attributes:
        maintenance_jobs: what the timer runs.
    """

    installation_key = MemoryInstallationKey()
    photos = PhotoCache(pixels=0)
    fetch: Any = None
    remains = NoRemains()
    engine_kinds: Mapping[str, EngineKind[Any]] = {}
    engine_names: Mapping[str, str] = {}
    engine_notes: Mapping[str, str] = {}
    photo_receivers: Sequence[str] = ()
    environment: Mapping[str, str] = {}
    models: Any = None
    prices = PriceList(  # each execution costs a dollar
        (Price(FUNCTIONS, "execution", "calls", 1, 1.0),)
    )
    setup = "fused"

    def __init__(self, around: Surroundings, emulated: bool) -> None:
        stores, faults = around.stores, around.faults
        self._clock, self._around = around.clock, around
        self.core_settings = SETTINGS
        self.telemetry = Counting(around.happened)
        self.landing: Any = Port("landing", stores.landing, faults) if emulated else NoLanding()
        self.queues: Any = Port("queues", stores.queues, faults)
        self.log: Any = Port("log", stores.log, faults)
        self.blobs: Any = Port("blobs", stores.blobs, faults)
        self.poison: Any = Port("poison", stores.poison, faults)
        self.drops: Any = Port("drops", stores.drops, faults)
        self.receipts: Any = Port("receipts", stores.receipts, faults)
        self.shared_state: Any = Port("shared_state", stores.shared_state, faults)
        self.tombstones: Any = Port("tombstones", stores.tombstones, faults)
        self.results: Any = Port("results", stores.sql.results, faults)
        self.gallery: Any = Port("gallery", stores.sql.gallery, faults)
        self.submissions: Any = Port("submissions", stores.sql.submissions, faults)
        self.earlier_outputs: Any = Port("earlier_outputs", stores.sql.earlier_outputs, faults)
        self.batches: Any = Port("batches", stores.sql.batches, faults)
        self.reviews: Any = Port("reviews", stores.sql.reviews, faults)
        self.erased_runs: Any = Port("erased_runs", stores.sql.erased_runs, faults)
        self.barred: Any = Port("barred", stores.sql.barred, faults)
        self.known_photos: Any = stores.sql.known_photos
        self.suppressed_faces: Any = stores.sql.suppressed_faces  # no face is erased alone here
        self.face_index: Any = Port("face_index", stores.sql.face_index, faults)
        self.ledger: Any = stores.sql.ledger
        self.catalogue: Any = Port("catalogue", stores.sql.catalogue, faults)
        self.maintenance_jobs: Sequence[MaintenanceJob] = ()
        self.audit_trail = MemoryAuditTrail()
        self.audit = ChainWriter(self.audit_trail, self.installation_key)
        self._remember_nothing()

    def _remember_nothing(self) -> None:
        self.alarms = SimulatedAlarms(self._around)
        self.cancellations = CancelledBatches(self.shared_state, self._clock.read)
        self.budgets = NotedBudgets(self.cancellations, self.shared_state, self._clock.read)
        self.pauses = CountedPauses(self.cancellations, self.shared_state)
        self.pauses.happened = self._around.happened
        self.open_batches = NotedBatches(self.shared_state, self._clock.machine)
        self.engine_choices = NotedEngineChoices(self.shared_state)
        self.erased = NotedErasures(self.tombstones, self.shared_state, self.erased_runs)

    def restarted(self) -> "SimulatedServices":
        """Return the same ports for a process that knows nothing yet."""
        fresh = object.__new__(SimulatedServices)
        fresh.__dict__.update(self.__dict__)
        fresh._remember_nothing()
        return fresh

    def engine(self, kind: EngineKind[EngineT]) -> EngineT:
        """Return the engine that finds the one face of every photo, and whom it looks like."""
        engines: dict[str, Any] = {
            FACES.name: OneFace(),
            RECOGNIZER.name: recognizer_of(self.gallery, self.face_index),
        }
        engine: EngineT = engines[kind.name]
        return engine

    def other_engine(self, kind: EngineKind[EngineT], provider: str) -> EngineT:
        """Refuse, too."""
        raise NotImplementedError(provider)

    @property
    def erasables(self) -> Sequence[Erasable]:
        """Every store that keeps something of a job."""
        return erasables_of(self)
