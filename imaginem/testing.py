"""Everything a step's author needs to test a step without storage, network or models.

`job_for(photo)` makes a `JobContext`; `MemoryServices` is a whole Imaginem in memory.
The fakes here pass the same contract suite as the real adapters.
"""

import io
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from PIL import Image
from pydantic_core import to_json

from imaginem.config.engine_table import ENGINE_TABLE, EngineTable
from imaginem.errors import ConfigurationError, PermanentError
from imaginem.images.photo_cache import PhotoCache
from imaginem.memory.alarms import MemoryAlarms
from imaginem.memory.audit import MemoryAuditTrail
from imaginem.memory.drops import MemoryDrops
from imaginem.memory.engines import (
    Failing,
    FakeFaces,
    FakeOcr,
    FakeQuestions,
    FakeRecognizer,
    FakeVision,
)
from imaginem.memory.face_index import MemoryFaceIndex
from imaginem.memory.gallery import MemoryGallery
from imaginem.memory.installation_key import MemoryInstallationKey
from imaginem.memory.landing import MemoryLanding
from imaginem.memory.models import MemoryModels
from imaginem.memory.poison import MemoryPoison
from imaginem.memory.receipts import MemoryReceipts
from imaginem.memory.results import MemoryResults
from imaginem.memory.shared_state import MemorySharedState
from imaginem.memory.storage import (
    MemoryBlobs,
    MemoryLog,
    MemoryQueues,
)
from imaginem.memory.stores import MemoryStores
from imaginem.memory.tombstones import MemoryTombstones
from imaginem.message import JobMessage, decode_message
from imaginem.pipeline.advance import Transition
from imaginem.pipeline.budgets import NotedBudgets
from imaginem.pipeline.cancelling import CancelledBatches
from imaginem.pipeline.context import JobContext
from imaginem.pipeline.engine_choices import NotedEngineChoices
from imaginem.pipeline.erased import NotedErasures
from imaginem.pipeline.means import setting_name
from imaginem.pipeline.open_batches import NotedBatches
from imaginem.pipeline.paused_batches import PausedBatches
from imaginem.pipeline.process import Delivery, PipelineStep, process_step
from imaginem.pipeline.steps import Registry, default_registry
from imaginem.ports import (
    CoreSettings,
    EngineKind,
    Engines,
    EngineT,
    Erasable,
    MaintenanceJob,
    NoRemains,
    PriceList,
    Remains,
)
from imaginem.ports.own_outputs.index import index_nothing
from imaginem.telemetry.silent import SilentTelemetry
from imaginem.usecases.audit.chain import ChainWriter
from imaginem.usecases.erasables import erasables_of
from imaginem.usecases.own_outputs import OwnOutputs

__all__ = [
    "Failing",
    "FakeFaces",
    "FakeOcr",
    "FakeQuestions",
    "FakeRecognizer",
    "FakeVision",
    "MemoryAuditTrail",
    "MemoryBlobs",
    "MemoryDrops",
    "MemoryFaceIndex",
    "MemoryGallery",
    "MemoryInstallationKey",
    "MemoryLanding",
    "MemoryLog",
    "MemoryModels",
    "MemoryPoison",
    "MemoryQueues",
    "MemoryReceipts",
    "MemoryResults",
    "MemoryServices",
    "MemorySharedState",
    "MemoryTombstones",
    "job_for",
    "message_for",
    "no_network",
    "photo_bytes",
    "run_all",
]


_TESTED = "steptotest"


def no_network(url: str) -> bytes:
    """Refuse to fetch."""
    raise PermanentError(f"{url}: tests fetch nothing")


@dataclass
class MemoryServices(MemoryStores, Engines):
    """A whole Imaginem in memory; replace any part by passing it.

    Attributes:
        engine_table: the kinds of engines; each gets a fake unless an engine is passed.
        engines: the engines of kinds without a field of their own, by the kind's name.
    """

    core_settings: CoreSettings = field(default_factory=CoreSettings)
    environment: Mapping[str, str] = field(default_factory=dict)
    queues: MemoryQueues = field(default_factory=MemoryQueues)
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    log: MemoryLog = field(default_factory=MemoryLog)
    poison: MemoryPoison = field(default_factory=MemoryPoison)
    drops: MemoryDrops = field(default_factory=MemoryDrops)
    receipts: MemoryReceipts = field(default_factory=MemoryReceipts)
    installation_key: Any = field(default_factory=MemoryInstallationKey)
    landing: MemoryLanding = field(default_factory=MemoryLanding)
    remains: Remains = field(default_factory=NoRemains)
    fetch: Any = no_network
    photos: PhotoCache = field(default_factory=lambda: PhotoCache(pixels=0))
    alarms: Any = field(default_factory=MemoryAlarms)
    models: Any = field(default_factory=MemoryModels)
    telemetry: Any = field(default_factory=SilentTelemetry)
    setup: str = "vision=local ocr=local faces=local prints=local fused"
    prices: PriceList = field(default_factory=PriceList)
    vision: Any = None
    ocr: Any = None
    faces: Any = None
    recognizer: Any = None
    engine_table: EngineTable = ENGINE_TABLE
    engines: dict[str, Any] = field(default_factory=dict)
    engine_names: Mapping[str, str] = field(default_factory=dict)
    engine_notes: Mapping[str, str] = field(default_factory=dict)
    photo_receivers: Sequence[str] = ()
    shared_state: MemorySharedState = field(default_factory=MemorySharedState)
    audit_trail: MemoryAuditTrail = field(default_factory=MemoryAuditTrail)
    audit: Any = None
    tombstones: MemoryTombstones = field(default_factory=MemoryTombstones)
    erased: Any = None
    cancellations: Any = None
    open_batches: Any = None
    budgets: Any = None
    engine_choices: Any = None
    maintenance_jobs: Sequence[MaintenanceJob] = ()

    def __post_init__(self) -> None:
        """Make the stores, and a fake for each kind of engine that was not passed."""
        super().__post_init__()
        if self.database.index is index_nothing:
            self.database.index = OwnOutputs(default_registry).index
        for row in self.engine_table.rows:
            engines = vars(self) if row.kind.name in vars(self) else self.engines
            if engines.get(row.kind.name) is None:
                engines[row.kind.name] = pkgutil.resolve_name(row.fake)()
        self.engine_names = self.engine_names or dict.fromkeys(self.engine_kinds, "fake")
        if self.audit is None:
            self.audit = ChainWriter(self.audit_trail, self.installation_key)
        if self.cancellations is None:
            self.cancellations = CancelledBatches(self.shared_state)
        if self.budgets is None:
            self.budgets = NotedBudgets(self.cancellations, self.shared_state)
        if self.open_batches is None:
            self.open_batches = NotedBatches(self.shared_state)
        if self.erased is None:
            self.erased = NotedErasures(self.tombstones, self.shared_state, self.erased_runs)
        if self.engine_choices is None:
            self.engine_choices = NotedEngineChoices(self.shared_state)

    @property
    def pauses(self) -> PausedBatches:
        """Which batches are paused."""
        return PausedBatches(self.cancellations, self.shared_state)

    @property
    def erasables(self) -> Sequence[Erasable]:
        """Every store that keeps something of a job, in the order of erasing."""
        return erasables_of(self)

    @property
    def engine_kinds(self) -> Mapping[str, EngineKind[Any]]:
        """The kinds of engines by the names that users see."""
        return self.engine_table.kinds()

    def engine(self, kind: EngineKind[EngineT]) -> EngineT:
        """Return the engine of a kind."""
        engine: EngineT = (vars(self) if kind.name in vars(self) else self.engines)[kind.name]
        return engine

    def other_engine(self, kind: EngineKind[EngineT], provider: str) -> EngineT:
        """Return the engine that was passed as `engines["kind=provider"]`."""
        name = f"{kind.name}={provider}"
        if name not in self.engines:
            raise ConfigurationError(f"{kind.name}: there is no engine {provider!r}")
        engine: EngineT = self.engines[name]
        return engine


def photo_bytes(
    width: int = 64, height: int = 48, color: str = "teal", format_name: str = "PNG"
) -> bytes:
    """Return a plain photo's file."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), color).save(out, format=format_name)
    return out.getvalue()


def message_for(
    image_url: str,
    pipeline: Iterable[str],
    *,
    job_id: str = "job-1",
    batch_id: str = "batch-1",
    step: int = 0,
    outputs: Mapping[str, Any] | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
) -> JobMessage:
    """Return a job message as a sender writes it."""
    value = {
        "job_definition": {
            "id": job_id,
            "batch_id": batch_id,
            "input": {"image_url": image_url},
            "processing_pipeline": list(pipeline),
            "processing_step": step,
            "step_parameters": parameters,
        },
        "job_output": dict(outputs or {}),
    }
    return decode_message(to_json(value), ())


def job_for(
    photo: bytes | None = None,
    *,
    outputs: Mapping[str, Any] | None = None,
    services: MemoryServices | None = None,
    parameters: Mapping[str, Any] | None = None,
    settings: Mapping[str, str] | None = None,
) -> JobContext:
    """Return a job to call a step with: `blurriness(job_for(photo))`.

    Args:
        photo: the photo's file; a plain one by default.
        outputs: outputs of earlier steps, as JSON values by step name.
        services: where engines and storage come from; all in memory by default.
        parameters: what the job says to the step, by the names of fields.
        settings: the step's settings as texts, by the names of fields.
    """
    services = services or MemoryServices()
    if settings:
        texts = {setting_name(_TESTED, name): text for name, text in settings.items()}
        services = replace(services, environment={**services.environment, **texts})
    data = photo_bytes() if photo is None else photo
    container = services.core_settings.input_container
    url = services.blobs.put(container, "batch-1/photo", data, "image/png")
    said = {_TESTED: parameters} if parameters else None
    message = message_for(url, [_TESTED], outputs=outputs, parameters=said)
    return JobContext(message, services)


def run_all(
    services: MemoryServices, registry: Registry, *, most: int = 1000
) -> list[tuple[str, Transition]]:
    """Run every visible message on every step's queue until none is left.

    Args:
        services: whose queues are emptied.
        registry: the steps.
        most: step executions after which it gives up.

    Returns:
        The step's name and the transition of each step execution.

    Raises:
        Exception: whatever a step raises; the message then stays on its queue.
        AssertionError: messages are left after that many step executions.
    """
    executed: list[tuple[str, Transition]] = []
    while len(executed) < most:
        this_round = [
            transition for step in registry if (transition := _run_one(services, step, registry))
        ]
        if not this_round:
            return executed
        executed += this_round
    raise AssertionError(f"the pipeline did not come to an end within {most} step executions")


def _run_one(
    services: MemoryServices, step: PipelineStep, registry: Registry
) -> tuple[str, Transition] | None:
    services.queues.create(step.name)
    for item in services.queues.receive(step.name, 1, 30):
        delivery = Delivery(item.body, item.id, item.dequeue_count, item.inserted)
        transition = process_step(step, delivery, services, registry)
        services.queues.delete(step.name, item)
        return step.name, transition
    return None
