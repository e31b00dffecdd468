"""The app's own identity: tokens for Azure services, without any key."""

import functools
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

_lock = threading.Lock()


def credential(client_id: str = "") -> "TokenCredential":
    """Return the credential of a user-assigned identity, or of the system's; one a process.

    On Azure that is the managed identity; on a laptop whoever is logged in (`az login`).
    The package loads when this is first called, and tokens are kept until they lapse.
    """
    with _lock:
        return _made(client_id)


@functools.cache
def _made(client_id: str) -> "TokenCredential":
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential(managed_identity_client_id=client_id or None)
