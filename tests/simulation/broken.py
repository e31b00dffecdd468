"""Protocols that are broken in one place each: the simulator must find every one of them."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from imaginem.errors import Conflict
from imaginem.memory.catalogue import MemoryCatalogue
from imaginem.memory.database import MemoryDatabase
from imaginem.memory.erased_runs import MemoryErasedRuns
from imaginem.memory.stores import MemoryStores
from imaginem.message import Bookkeeping, JobMessage, decode_message
from imaginem.pipeline.erased import NotedErasures
from imaginem.pipeline.process import Delivery, process_step, transition
from imaginem.pipeline.sheets import APART
from imaginem.ports import JobKey, PhotoFilter, PhotoPage, QueueItem
from imaginem.usecases.watchdog import Watchdog
from tests.simulation.host import POISON, Instance
from tests.simulation.machine import Variant
from tests.simulation.stores import WatchedLog


class FencelessLog(WatchedLog):
    """Writes whatever the row's fence is."""

    def merge(self, key: JobKey, properties: Mapping[str, Any], fence: str) -> str:
        """Change properties."""
        return super().merge(key, properties, self._latest(key))

    def replace(self, key: JobKey, properties: Mapping[str, Any], fence: str) -> str:
        """Set properties."""
        return super().replace(key, properties, self._latest(key))

    def _latest(self, key: JobKey) -> str:
        entry = self.read(key)
        return entry.fence if entry else ""


class LateLog:
    """Keeps a step's recording back until it is told to write."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._kept: tuple[JobKey, Mapping[str, Any], str] | None = None

    def __getattr__(self, method: str) -> Any:
        return getattr(self._log, method)

    def merge(self, key: JobKey, properties: Mapping[str, Any], fence: str) -> str:
        """Promise to change properties."""
        self._kept = (key, properties, fence)
        return fence

    def write(self) -> None:
        """Do what was promised, whatever the row has become."""
        if self._kept is None:
            return
        key, properties, _ = self._kept
        for _ in range(5):
            entry = self._log.read(key)
            try:
                self._log.merge(key, properties, entry.fence if entry else "")
                return
            except Conflict:
                continue


class RecordsAfterAdvance(Instance):
    """Sends the job on before it records the step."""

    def run(self, queue: str, item: QueueItem) -> str:
        """Process a message."""
        if queue.endswith(POISON):
            return super().run(queue, item)
        services = self.services.restarted()
        services.log = late = LateLog(services.log)
        registry = self.around.pipeline.registry
        delivery = Delivery(item.body, item.id, item.dequeue_count, item.inserted)
        state = process_step(registry.get(queue), delivery, services, registry).state
        late.write()
        return state


class DeletesBeforeAdvance(Instance):
    """Deletes a message before it sends the next one."""

    def run(self, queue: str, item: QueueItem) -> str:
        """Process a message."""
        if queue.endswith(POISON):
            return super().run(queue, item)
        registry = self.around.pipeline.registry
        delivery = Delivery(item.body, item.id, item.dequeue_count, item.inserted)
        moved = transition(registry.get(queue), delivery, self.services, registry)
        self.services.queues.delete(queue, item)
        if moved.outgoing is not None:
            sent = moved.outgoing
            self.services.queues.send(sent.queue, sent.body, delay=sent.delay)
        return moved.state


class QuietQueues:
    """Sends nothing of what is made of a job's row."""

    def __init__(self, queues: Any) -> None:
        self._queues = queues

    def __getattr__(self, method: str) -> Any:
        return getattr(self._queues, method)

    def send(self, queue: str, body: str, *, delay: float = 0) -> str:
        """Put a message on a queue, unless it looks before it acts."""
        if decode_message(body, ()).job_definition.bookkeeping.look:
            return ""
        sent: str = self._queues.send(queue, body, delay=delay)
        return sent


class ResumesWithoutSending(Instance):
    """Finds that steps of a message are recorded, and takes that for the job being sent on."""

    def run(self, queue: str, item: QueueItem) -> str:
        """Process a message."""
        if item.dequeue_count > 1 and not queue.endswith(POISON):
            self.services.queues = QuietQueues(self.around.services.queues)
        try:
            return super().run(queue, item)
        finally:
            self.services.queues = self.around.services.queues


class HoldsNothing(QuietQueues):
    """Sends no message that holds a job which waits for others."""

    def send(self, queue: str, body: str, *, delay: float = 0) -> str:
        """Put a message on a queue, unless it holds a job that waits."""
        kept = decode_message(body, ()).job_definition.bookkeeping
        return "" if self._is_kept_back(kept) else str(self._queues.send(queue, body, delay=delay))

    def _is_kept_back(self, kept: Bookkeeping) -> bool:
        return bool(kept.gathering) and kept.gathering != APART and not kept.beat


class WaitsForNobody(HoldsNothing):
    """Takes a job that somebody works on for one that is done."""

    def _is_kept_back(self, kept: Bookkeeping) -> bool:
        return bool(kept.beat)


class _Quiet(Instance):
    queues: type[QuietQueues]

    def run(self, queue: str, item: QueueItem) -> str:
        """Process a message."""
        self.services.queues = self.queues(self.around.services.queues)
        try:
            return super().run(queue, item)
        finally:
            self.services.queues = self.around.services.queues


class JoinsWithoutAMessage(_Quiet):
    """Relies on whoever completes the count."""

    queues = HoldsNothing


class LooksOnce(_Quiet):
    """Relies on whoever works on a sheet."""

    queues = WaitsForNobody


class StartsNewRuns(Watchdog):
    """Sends a lost message again as the first one of a new run."""

    def _message(self, job: Any) -> JobMessage | None:
        message = super()._message(job)
        return message and message.noting(run="", fence="", look=False, replaces="")


class NoTombstones(NotedErasures):
    """Finds nothing."""

    def covers(self, key: JobKey, runs: Collection[str], put: datetime | None) -> bool:
        """Say that nothing was erased."""
        return False


class LooksForNoTombstone(Instance):
    """Takes a row that is gone for one that storage lost."""

    def run(self, queue: str, item: QueueItem) -> str:
        """Process a message."""
        self.services.erased = NoTombstones(
            self.services.tombstones, self.services.shared_state, self.services.erased_runs
        )
        return super().run(queue, item)


class LaysNothing(MemoryErasedRuns):
    """Refuses nothing."""

    def lay(self, batch_id: str, runs: Mapping[str, Collection[str]]) -> None:
        """Note nothing."""


class Remembering(MemoryCatalogue):
    """Answers with what it found the first time."""

    _page: PhotoPage | None = None

    def photos(self, wanted: PhotoFilter, cursor: str = "", limit: int = 48) -> PhotoPage:
        """List photos."""
        if self._page is None or not self._page.photos:
            self._page = super().photos(wanted, cursor, limit)
        return self._page


def _without_marks() -> MemoryStores:
    return MemoryStores(erased_runs=LaysNothing())


def _with_a_stale_search() -> MemoryStores:
    database = MemoryDatabase()
    return MemoryStores(database, catalogue=Remembering(database))


NO_MARKS_IN_SQL = Variant("no marks in SQL", sql=_without_marks)
STALE_SEARCH = Variant("a search that remembers", sql=_with_a_stale_search)
NO_TOMBSTONES = Variant("no tombstones", instance=LooksForNoTombstone)
NO_FENCE = Variant("no fence", log=FencelessLog)
RECORD_AFTER_ADVANCE = Variant("record after advance", instance=RecordsAfterAdvance)
DELETE_BEFORE_ADVANCE = Variant(  # the watchdog would mend it
    "delete before advance", instance=DeletesBeforeAdvance, watchdog=None
)
WITHOUT_WATCHDOG = Variant("without a watchdog", watchdog=None)
WATCHDOG_WITH_A_NEW_RUN = Variant("watchdog with a new run", watchdog=StartsNewRuns)
RECONCILER_BESIDE_LIVE_WORKERS = Variant(
    "reconciler beside live workers", waits_for_reconciler=False
)
READS_WHAT_IS_NOT_RECORDED = Variant("reads what is not recorded", settles=False)
RESUMES_WITHOUT_SENDING = Variant(
    "resumes without sending", instance=ResumesWithoutSending, watchdog=None
)
BROKEN_WHEN_GROUPED = (
    Variant("joins without a message", instance=JoinsWithoutAMessage, watchdog=None),
    Variant("looks once", instance=LooksOnce, watchdog=None),
)
BROKEN_WHEN_FUSED = (
    READS_WHAT_IS_NOT_RECORDED,
    RESUMES_WITHOUT_SENDING,
)
BROKEN = (
    NO_FENCE,
    RECORD_AFTER_ADVANCE,
    DELETE_BEFORE_ADVANCE,
    WATCHDOG_WITH_A_NEW_RUN,
    RECONCILER_BESIDE_LIVE_WORKERS,
)
