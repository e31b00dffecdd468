"""The composition root: settings become adapters, each made when it is first used.

Longer than other modules: it has one short factory for each port, and little else.
"""

import atexit
import os
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

import imaginem
from imaginem.config.engine_state import state_of_engines
from imaginem.config.identity import credential, get_token
from imaginem.config.receivers import photo_receivers, with_receivers
from imaginem.config.retirement import notes
from imaginem.config.settings import Settings, choosing, read_settings
from imaginem.engines.parts import EngineParts
from imaginem.images.photo_cache import PhotoCache
from imaginem.pipeline.alarms import ThreadAlarms
from imaginem.pipeline.budgets import NotedBudgets
from imaginem.pipeline.buffered_ledger import BufferedLedger
from imaginem.pipeline.cancelling import CancelledBatches
from imaginem.pipeline.engine_choices import NotedEngineChoices
from imaginem.pipeline.erased import NotedErasures
from imaginem.pipeline.open_batches import NotedBatches
from imaginem.pipeline.paused_batches import PausedBatches
from imaginem.pipeline.steps import default_registry
from imaginem.ports import (
    Alarms,
    AuditLog,
    AuditTrail,
    BarredPhotos,
    Batches,
    Blobs,
    Budgets,
    CoreSettings,
    Drops,
    EarlierOutputs,
    EngineChoices,
    EngineKind,
    Engines,
    EngineT,
    Erasable,
    ErasedJobs,
    FaceGallery,
    FaceIndex,
    Fetcher,
    InstallationKey,
    JobLog,
    KnownPhotos,
    Landing,
    MaintenanceJob,
    NoLanding,
    NoRemains,
    OpenBatches,
    Pauses,
    PhotoCatalogue,
    Photos,
    PoisonLog,
    PriceList,
    Queues,
    Receipts,
    Remains,
    Results,
    Reviews,
    ServiceFaces,
    SharedState,
    Submissions,
    Telemetry,
)
from imaginem.telemetry.silent import SilentTelemetry
from imaginem.usecases.audit.chain import ChainWriter
from imaginem.usecases.erasables import erasables_of
from imaginem.usecases.landing import sweep
from imaginem.usecases.own_outputs import OwnOutputs

T = TypeVar("T")


class _Once(Generic[T]):
    """An attribute made on first use, once even when threads race (cached_property is not)."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "_Once[T]": ...
    @overload
    def __get__(self, instance: "Runtime", owner: type) -> T: ...
    def __get__(self, instance: "Runtime | None", owner: type) -> "T | _Once[T]":
        if instance is None:
            return self
        made: T
        with instance.lock:
            if self._name in instance.made:
                made = instance.made[self._name]
            else:
                made = instance.made[self._name] = self._make(instance)
        return made


class Runtime(Engines):
    """Adapters for these settings; fulfils `imaginem.ports.Services`.

    Args:
        settings: of the app; their table of engines says which kinds there are.
        environment: where the settings of steps are read; this process's by default.
    """

    def __init__(self, settings: Settings, environment: Mapping[str, str] | None = None) -> None:
        self.settings = settings
        self.environment = os.environ if environment is None else environment
        self.lock = threading.RLock()
        self.made: dict[str, Any] = {}
        self.engines: dict[str, Any] = {}

    @_Once
    def core_settings(self) -> CoreSettings:
        """The numbers and names of the settings."""
        core = self.settings.core()
        if not core.reuse:
            return core
        return replace(core, reuse=state_of_engines(self.settings, self.engine_names))

    @_Once
    def _account(self) -> Any:
        from imaginem.storage.account import account_of

        return account_of(self.settings)

    @_Once
    def queues(self) -> Queues:
        """Azure Storage queues."""
        from imaginem.storage import AzureQueues

        return AzureQueues(self._account)

    @_Once
    def blobs(self) -> Blobs:
        """Azure Storage blobs."""
        from imaginem.storage import AzureBlobs

        return AzureBlobs(self._account)

    @_Once
    def log(self) -> JobLog:
        """The table `pipelinelogs`."""
        from imaginem.storage import AzureJobLog

        return AzureJobLog(self._account)

    @_Once
    def poison(self) -> PoisonLog:
        """The table `pipelinepoison`."""
        from imaginem.storage import AzurePoisonLog

        return AzurePoisonLog(self._account, self.blobs)

    @_Once
    def drops(self) -> Drops:
        """The table `pipelinedrops`."""
        from imaginem.storage import AzureDrops

        return AzureDrops(self._account)

    @_Once
    def receipts(self) -> Receipts:
        """The table `pipelinereceipts`."""
        from imaginem.storage import AzureReceipts

        return AzureReceipts(self._account)

    @_Once
    def shared_state(self) -> SharedState:
        """Small texts that all instances share."""
        from imaginem.storage import AzureSharedState

        return AzureSharedState(self._account)

    @_Once
    def installation_key(self) -> InstallationKey:
        """The key that this installation signs with, in `pipelinestate`."""
        from imaginem.storage import StoredInstallationKey

        return StoredInstallationKey(self.shared_state)

    @_Once
    def audit_trail(self) -> AuditTrail:
        """The table `pipelineaudit`."""
        from imaginem.storage import AzureAuditTrail

        return AzureAuditTrail(self._account)

    @_Once
    def audit(self) -> AuditLog:
        """This process's chain of the audit trail."""
        return ChainWriter(self.audit_trail, self.installation_key)

    @_Once
    def landing(self) -> Landing:
        """What was accepted, kept from the emulator's crashes; nothing on any other storage."""
        if not self.settings.storage_may_forget:
            return NoLanding()
        from imaginem.storage import EmulatorSaves, FileLanding

        home = self.settings.home.absolute()
        folder = home / "landing"
        saves = EmulatorSaves(
            home / "storage", folder / "mark.json", self.blobs, self.queues, self.shared_state
        )
        return FileLanding(folder, saves)

    @_Once
    def remains(self) -> Remains:
        """What erased data leaves in the emulator's files and in SQLite's; nothing on servers."""
        file = self.database.file
        if not self.settings.uses_emulator and file is None:
            return NoRemains()
        from imaginem.sql.wiping import empty_log
        from imaginem.storage import FileRemains

        return FileRemains(self.settings.home.absolute(), partial(empty_log, file))

    @_Once
    def alarms(self) -> Alarms:
        """What does things later."""
        return ThreadAlarms()

    @_Once
    def cancellations(self) -> CancelledBatches:
        """Which batches are cancelled."""
        return CancelledBatches(self.shared_state)

    @_Once
    def pauses(self) -> Pauses:
        """Which batches are paused."""
        return PausedBatches(self.cancellations, self.shared_state)

    @_Once
    def budgets(self) -> Budgets:
        """How much of which batch may be spent."""
        return NotedBudgets(self.cancellations, self.shared_state)

    @_Once
    def open_batches(self) -> OpenBatches:
        """Which batches may have jobs at work."""
        return NotedBatches(self.shared_state)

    @_Once
    def erased(self) -> ErasedJobs:
        """Which jobs were erased."""
        from imaginem.storage import AzureTombstones

        tombstones = AzureTombstones(self._account)
        return NotedErasures(tombstones, self.shared_state, self.erased_runs)

    @_Once
    def engine_choices(self) -> EngineChoices:
        """Which engines reruns chose."""
        return NotedEngineChoices(self.shared_state)

    @_Once
    def database(self) -> Any:
        """The SQL database."""
        from imaginem.sql import Database

        settings = self.settings
        return Database(
            settings.sql_connection,
            settings.home,
            self._sql_token,
            driver=settings.sql_driver,
            mark=self._mark,
        )

    def _mark(self, *words: str) -> str:
        return self.erased.mark(*words)

    def _sql_token(self, client_id: str) -> str:
        from imaginem.sql.address import SCOPE

        return get_token(client_id or self.settings.client_id, SCOPE)

    @_Once
    def erased_runs(self) -> Any:
        """Which runs were erased, in SQL."""
        from imaginem.sql import SqlErasedRuns

        return SqlErasedRuns(self.database)

    @_Once
    def results(self) -> Results:
        """The SQL results."""
        from imaginem.sql import SqlResults

        index = OwnOutputs(default_registry).index
        return SqlResults(self.database, self.erased_runs, index)

    @_Once
    def catalogue(self) -> PhotoCatalogue:
        """Photos by what was found in them, in SQL."""
        from imaginem.sql import SqlCatalogue

        return SqlCatalogue(self.database)

    @_Once
    def batches(self) -> Batches:
        """The batches in SQL."""
        from imaginem.sql import SqlBatches

        return SqlBatches(self.database)

    @_Once
    def submissions(self) -> Submissions:
        """What was sent, in SQL."""
        from imaginem.sql import SqlSubmissions

        return SqlSubmissions(self.database)

    @_Once
    def earlier_outputs(self) -> EarlierOutputs:
        """What jobs had found before they were run again, in SQL."""
        from imaginem.sql import SqlEarlierOutputs

        return SqlEarlierOutputs(self.database, self.erased_runs)

    @_Once
    def reviews(self) -> Reviews:
        """What people decided of faces, in SQL."""
        from imaginem.sql import SqlReviews

        return SqlReviews(self.database)

    @_Once
    def barred(self) -> BarredPhotos:
        """The photos that may not come back, in SQL."""
        from imaginem.sql import SqlBarredPhotos

        return SqlBarredPhotos(self.database)

    @_Once
    def known_photos(self) -> KnownPhotos:
        """Which jobs are for which photo, as SQL knows it."""
        from imaginem.sql import SqlKnownPhotos

        return SqlKnownPhotos(self.database)

    @_Once
    def face_index(self) -> FaceIndex:
        """The search over the gallery's embeddings."""
        from imaginem.sql import face_index_of

        # On Azure, an instance's own disk is as good as any: the files are made from SQL.
        place = Path(tempfile.gettempdir()) / "imaginem" if self.settings.on_azure else None
        return face_index_of(self.database, (place or self.settings.home.absolute()) / "face-index")

    @_Once
    def gallery(self) -> FaceGallery:
        """The face gallery in SQL."""
        from imaginem.sql import SqlGallery

        return SqlGallery(self.database, self.face_index, self.erased_runs, self.suppressed_faces)

    @_Once
    def suppressed_faces(self) -> Any:
        """Which faces were erased from photos that stay, in SQL."""
        from imaginem.sql import SqlSuppressedFaces

        return SqlSuppressedFaces(self.database)

    @property
    def erasables(self) -> Sequence[Erasable]:
        """Every store that keeps something of a job, in the order of erasing."""
        return erasables_of(self)

    @_Once
    def service_faces(self) -> ServiceFaces:
        """Which of our faces has which id at the Face service."""
        from imaginem.sql import SqlServiceFaces

        return SqlServiceFaces(self.database, self.settings.face.endpoint)

    @_Once
    def ledger(self) -> BufferedLedger:
        """What work takes, in SQL."""
        from imaginem.sql import LedgerJournal, SqlLedger

        # On Azure, an instance's own disk: it outlasts the processes on it, and not the instance.
        place = Path(tempfile.gettempdir()) / "imaginem" if self.settings.on_azure else None
        journal = LedgerJournal((place or self.settings.home.absolute()) / "ledger")
        sql = SqlLedger(self.database)
        ledger = BufferedLedger(sql, self.alarms, self.settings.setup, journal)
        self.database.before_close(ledger.settle_at_exit)
        atexit.register(ledger.settle_at_exit)
        return ledger

    @_Once
    def prices(self) -> PriceList:
        """What services cost."""
        from imaginem.config.prices import price_list

        return price_list(self.settings)

    @_Once
    def telemetry(self) -> Telemetry:
        """Where traces and metrics go."""
        if not self.settings.telemetry.wanted:
            return SilentTelemetry()
        from imaginem.telemetry.otel import make_telemetry

        own = (lambda: credential(self.settings.client_id)) if self.settings.on_azure else None
        return make_telemetry(self.settings.telemetry, own, imaginem.__version__)

    @_Once
    def fetch(self) -> Fetcher:
        """The guarded fetcher."""
        from imaginem.images.fetching import GuardedFetcher

        return GuardedFetcher(self.settings.allowed_image_hosts)

    @_Once
    def photos(self) -> Photos:
        """The photos that were decoded lately; none where a run has all steps: it keeps its own."""
        return PhotoCache(0) if self.core_settings.fusion.every else PhotoCache()

    @_Once
    def models(self) -> Any:
        """The models that steps bring."""
        from imaginem.engines.onnx import OwnModels

        return OwnModels(self.settings.assets, self.alarms.after)

    @_Once
    def parts(self) -> EngineParts:
        """What engines are made of."""
        return EngineParts(
            settings=self.settings,
            shared_state=lambda: self.shared_state,
            telemetry=self.telemetry,
            gallery=lambda: self.gallery,
            face_index=lambda: self.face_index,
            service_faces=lambda: self.service_faces,
            credential=lambda: credential(self.settings.client_id),
        )

    def engine(self, kind: EngineKind[EngineT]) -> EngineT:
        """Return the engine of a kind, made on first use.

        Raises:
            ConfigurationError: a setting, a package or a file that it needs is missing.
        """
        from imaginem.engines import make_engine

        with self.lock:
            if kind.name not in self.engines:
                self.engines[kind.name] = make_engine(kind, self.parts)
            engine: EngineT = self.engines[kind.name]
            return engine

    def other_engine(self, kind: EngineKind[EngineT], provider: str) -> EngineT:
        """Return the engine of a kind from a provider that the settings need not choose.

        Raises:
            ConfigurationError: there is no such provider, or something that it needs is missing.
        """
        from imaginem.engines import make_engine

        name = f"{kind.name}={provider}"
        with self.lock:
            if name not in self.engines:
                settings = choosing(self.settings, kind, provider)
                self.engines[name] = make_engine(kind, replace(self.parts, settings=settings))
            engine: EngineT = self.engines[name]
            return engine

    @property
    def engine_kinds(self) -> Mapping[str, EngineKind[Any]]:
        """The kinds of engines by the names that users see."""
        return self.settings.engine_table.kinds()

    @property
    def engine_names(self) -> Mapping[str, str]:
        """The names of the engines in use, by kind; no engine is made for that."""
        from imaginem.engines import engine_names

        return engine_names(self.settings)

    @property
    def setup(self) -> str:
        """What decides which calls a photo takes, as the ledger has it."""
        return self.settings.setup

    @property
    def engine_notes(self) -> Mapping[str, str]:
        """Until when the services of the engines in use answer, and where photos go, by kind."""
        return with_receivers(notes(self.settings, datetime.now(UTC).date()), self.settings)

    @property
    def photo_receivers(self) -> Sequence[str]:
        """A sentence for each server that photos are sent to."""
        return [receiver.text for receiver in photo_receivers(self.settings)]

    def _sweep_landing(self) -> None:
        sweep(self)

    @property
    def maintenance_jobs(self) -> Sequence[MaintenanceJob]:
        """What the timer is to run; nothing is made before a job runs."""
        from imaginem.engines import maintenance_jobs

        jobs = maintenance_jobs(self.settings, lambda: self.parts)
        if self.settings.watchdog_minutes:
            jobs.append(MaintenanceJob("watchdog", self._watch))
            jobs.append(MaintenanceJob("unsent photos", self._remove_unsent))
            jobs.append(MaintenanceJob("erasures", self._sweep_finally))
        if any(vars(self.settings.days()).values()):
            jobs.append(MaintenanceJob("retention", self._apply_retention))
        jobs.append(MaintenanceJob("erased faces", self._finish_faces))
        jobs.append(MaintenanceJob("index of faces", self._forget_removed_faces))
        jobs.append(MaintenanceJob("audit", self._sign_audit))
        jobs.append(MaintenanceJob("ledger", self._recover_ledger))
        if self.settings.storage_may_forget:
            jobs.append(MaintenanceJob("landing", self._sweep_landing))
        return jobs

    def _apply_retention(self) -> None:
        """Erase what is too old."""
        from imaginem.usecases.retention import apply_retention

        apply_retention(self)

    def _finish_faces(self) -> None:
        """Complete the erasure of faces whose jobs were at work."""
        from imaginem.usecases.forget_face import finish_faces

        finish_faces(self)

    def _forget_removed_faces(self) -> None:
        """Overwrite in this machine's index what an interrupted erasure left there."""
        self.face_index.forget_removed()

    def _sign_audit(self) -> None:
        """Sign the heads of the audit trail, once a day."""
        from imaginem.usecases.audit.heads import sign_daily

        sign_daily(self)

    def _recover_ledger(self) -> None:
        """Enter into the ledger what processes used that died."""
        self.ledger.recover()

    def _remove_unsent(self) -> None:
        from imaginem.usecases.unsent import remove_unsent

        remove_unsent(self)

    def _sweep_finally(self) -> None:
        """Look once more through what was erased."""
        from imaginem.usecases.final_sweep import sweep_finally

        sweep_finally(self, default_registry.names())

    def _watch(self) -> None:
        """Run the watchdog: it sends lost messages again."""
        from imaginem.usecases.watchdog import Watchdog

        period = timedelta(minutes=self.settings.watchdog_minutes)
        steps = default_registry.names()
        Watchdog(self, NotedBatches(self.shared_state), period, steps).watch()


_default_lock = threading.Lock()
_default: Runtime | None = None


def default_runtime() -> Runtime:
    """Return this process's runtime, made from the environment on first use.

    Raises:
        ConfigurationError: names every setting that is wrong.
    """
    global _default
    with _default_lock:
        if _default is None:
            _default = Runtime(read_settings())
        return _default
