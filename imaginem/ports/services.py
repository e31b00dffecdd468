"""Everything that a step execution can reach."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from imaginem.ports.alarms import Alarms
from imaginem.ports.audit import AuditLog, AuditTrail
from imaginem.ports.barred import BarredPhotos
from imaginem.ports.batch_work import Cancellations, OpenBatches
from imaginem.ports.batches import Batches
from imaginem.ports.budgets import Budgets
from imaginem.ports.catalogue import PhotoCatalogue
from imaginem.ports.core_settings import CoreSettings
from imaginem.ports.drops import Drops
from imaginem.ports.earlier import EarlierOutputs
from imaginem.ports.engines import EngineKind, Engines, EngineT
from imaginem.ports.erasing import Erasable
from imaginem.ports.face_index import FaceIndex
from imaginem.ports.gallery import FaceGallery
from imaginem.ports.installation_key import InstallationKey
from imaginem.ports.known_photos import KnownPhotos
from imaginem.ports.landing import Landing
from imaginem.ports.ledger import Ledger
from imaginem.ports.models import Models
from imaginem.ports.pauses import Pauses
from imaginem.ports.poison import PoisonLog
from imaginem.ports.prices import PriceList
from imaginem.ports.receipts import Receipts
from imaginem.ports.remains import Remains
from imaginem.ports.results import Results
from imaginem.ports.reviews import Reviews
from imaginem.ports.storage import Blobs, JobLog, Queues, SharedState
from imaginem.ports.submissions import Submissions
from imaginem.ports.suppressed_faces import SuppressedFaces
from imaginem.ports.telemetry import Telemetry
from imaginem.ports.tombstones import ErasedJobs, ErasedRuns

if TYPE_CHECKING:
    from imaginem.images.decoding import Photo


class Fetcher(Protocol):
    """Fetches a photo from an address outside our storage account."""

    def __call__(self, url: str) -> bytes:
        """Return its bytes. Raises PermanentError or RetryableError."""


class Photos(Protocol):
    """A cache of decoded photos."""

    def photo(self, key: str, read: Callable[[], bytes]) -> "Photo":
        """Return the photo of this key; read and decode it if needed. Raises PermanentError."""

    def forget(self, beginning: str) -> None:
        """Drop the photos whose key begins so."""


class EngineChoices(Protocol):
    """Which engines reruns chose instead of those that the settings choose."""

    def note(self, batch_id: str, engines: Mapping[str, str]) -> str:
        """Note the providers of a rerun, by name of their kind; return what stands for them."""

    def chosen(self, token: str, batch_id: str) -> Mapping[str, str]:
        """Return what was noted for a batch; nothing for a token that we have not made."""


@dataclass(frozen=True)
class MaintenanceJob:
    """Something that is done every few minutes; doing it twice does no harm.

    Attributes:
        name: of few values, since metrics carry it.
        run: does it; raises when it failed.
    """

    name: str
    run: Callable[[], None]


class Services(Engines, Protocol):
    """Everything that a step execution can reach; made by `runtime`, or by `testing` in memory."""

    @property
    def core_settings(self) -> CoreSettings:
        """Return the numbers and names of the settings."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the texts that settings of steps are read from, by name."""

    @property
    def queues(self) -> Queues:
        """Return the queues."""

    @property
    def blobs(self) -> Blobs:
        """Return the blobs."""

    @property
    def log(self) -> JobLog:
        """Return the progress table."""

    @property
    def poison(self) -> PoisonLog:
        """Return the table of messages that could not be processed."""

    @property
    def results(self) -> Results:
        """Return the results."""

    @property
    def gallery(self) -> FaceGallery:
        """Return the face gallery."""

    @property
    def face_index(self) -> FaceIndex:
        """Return the search over the gallery's embeddings."""

    @property
    def fetch(self) -> Fetcher:
        """Return the guarded fetcher."""

    @property
    def photos(self) -> Photos:
        """Return the cache of decoded photos."""

    @property
    def alarms(self) -> Alarms:
        """Return what does things later."""

    @property
    def models(self) -> Models:
        """Return the models that steps bring."""

    @property
    def telemetry(self) -> Telemetry:
        """Return where traces and metrics go."""

    @property
    def ledger(self) -> Ledger:
        """Return where it is counted what work takes."""

    @property
    def prices(self) -> PriceList:
        """Return what services cost."""

    @property
    def shared_state(self) -> SharedState:
        """Return the small texts that all instances share."""

    @property
    def audit_trail(self) -> AuditTrail:
        """Return the audit trail as it is kept."""

    @property
    def audit(self) -> AuditLog:
        """Return where this process's deeds are recorded."""

    @property
    def installation_key(self) -> InstallationKey:
        """Return the key that this installation signs with."""

    def other_engine(self, kind: EngineKind[EngineT], provider: str) -> EngineT:
        """Return the engine of a kind from a provider that the settings need not choose.

        Raises:
            ConfigurationError: there is no such provider, or something that it needs is missing.
        """

    @property
    def engine_choices(self) -> EngineChoices:
        """Return which engines reruns chose."""

    @property
    def cancellations(self) -> Cancellations:
        """Return the list of cancelled batches."""

    @property
    def pauses(self) -> Pauses:
        """Return the batches that are paused."""

    @property
    def budgets(self) -> Budgets:
        """Return the budgets of batches."""

    @property
    def open_batches(self) -> OpenBatches:
        """Return the list of batches that may have jobs at work."""

    @property
    def submissions(self) -> Submissions:
        """Return the submissions."""

    @property
    def remains(self) -> Remains:
        """Return what erased data leaves on this machine's disk."""

    @property
    def erased(self) -> ErasedJobs:
        """Return which jobs were erased."""

    @property
    def erased_runs(self) -> ErasedRuns:
        """Return the runs for which SQL takes nothing any more."""

    @property
    def barred(self) -> BarredPhotos:
        """Return the photos that may not come back."""

    @property
    def suppressed_faces(self) -> SuppressedFaces:
        """Return which faces were erased from photos that stay."""

    @property
    def erasables(self) -> Sequence[Erasable]:
        """Return every store that keeps something of a job, in the order of erasing."""

    @property
    def maintenance_jobs(self) -> Sequence[MaintenanceJob]:
        """Return the jobs that the timer runs; empty when the settings call for none."""


class DashboardServices(Services, Protocol):
    """What the API and the dashboard need in addition."""

    @property
    def engine_kinds(self) -> Mapping[str, EngineKind[Any]]:
        """Return the kinds of engines by the names that users see."""

    @property
    def engine_names(self) -> Mapping[str, str]:
        """Return the names of engines and models in use, without loading any."""

    @property
    def engine_notes(self) -> Mapping[str, str]:
        """Return what to know of engines in use, such as the end of their service, by kind."""

    @property
    def photo_receivers(self) -> Sequence[str]:
        """Return a sentence for each server that engines in use send photos to."""

    @property
    def setup(self) -> str:
        """Return which engines are in use and whether steps run fused, as the ledger has it."""

    @property
    def catalogue(self) -> PhotoCatalogue:
        """Return the catalogue of photos."""

    @property
    def batches(self) -> Batches:
        """Return the batches."""

    @property
    def known_photos(self) -> KnownPhotos:
        """Return which jobs are for which photo, as SQL knows it."""

    @property
    def earlier_outputs(self) -> EarlierOutputs:
        """Return what jobs had found before they were run again."""

    @property
    def drops(self) -> Drops:
        """Return the photos that were dropped in the input container."""

    @property
    def receipts(self) -> Receipts:
        """Return the receipts of erasures."""

    @property
    def landing(self) -> Landing:
        """Return what was accepted and storage may still forget."""

    @property
    def reviews(self) -> Reviews:
        """Return people's decisions on faces."""
