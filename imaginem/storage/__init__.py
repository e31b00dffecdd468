"""Azure Storage adapters: queues, blobs and tables, on an account or on Azurite alike."""

from imaginem.storage.audit import AzureAuditTrail
from imaginem.storage.blob import AzureBlobs
from imaginem.storage.drops import AzureDrops
from imaginem.storage.installation_key import StoredInstallationKey
from imaginem.storage.landing import FileLanding
from imaginem.storage.poison import AzurePoisonLog
from imaginem.storage.queue import AzureQueues
from imaginem.storage.receipts import AzureReceipts
from imaginem.storage.remains import FileRemains
from imaginem.storage.saves import EmulatorSaves
from imaginem.storage.shared_state import AzureSharedState
from imaginem.storage.table import AzureJobLog
from imaginem.storage.tombstones import AzureTombstones

__all__ = [
    "AzureAuditTrail",
    "AzureBlobs",
    "AzureDrops",
    "AzureJobLog",
    "AzurePoisonLog",
    "AzureQueues",
    "AzureReceipts",
    "AzureSharedState",
    "AzureTombstones",
    "EmulatorSaves",
    "FileLanding",
    "FileRemains",
    "StoredInstallationKey",
]
