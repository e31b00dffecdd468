"""The app's own identity: tokens for Azure services, without any key."""

import functools
import re
import threading
from typing import TYPE_CHECKING

from imaginem.errors import RetryableError
from imaginem.redaction import one_line

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential as TokenCredential

_lock = threading.Lock()
_PAUSE = 10.0  # seconds before the next try


def credential(client_id: str = "") -> "TokenCredential":
    """Return the credential of a user-assigned identity, or else of the system-assigned one.

    On Azure that is a managed identity; on a laptop it is whoever is logged in (`az login`).
    A process has one credential for each client id, which keeps tokens until they expire.
    The package is loaded when this is first called.
    """
    with _lock:
        return _made(client_id)


def get_token(client_id: str, scope: str) -> str:
    """Return a token for a service, named by its scope (an address that ends in `/.default`).

    Raises:
        RetryableError: the identity gets no token; says why.
    """
    from azure.core.exceptions import AzureError

    try:
        return credential(client_id).get_token(scope).token
    except AzureError as problem:
        raise no_token(scope, problem) from None


def no_token(scope: str, problem: Exception) -> RetryableError:
    """Return the error to raise when the identity gets no token, with the reason in one line."""
    why = re.findall(r"ManagedIdentityCredential: ([^\n]+)", str(problem)) or [str(problem)]
    return RetryableError(
        f"the app's identity gets no token for {scope.removesuffix('/.default')}: "
        f"{one_line(why[0], 200)}. Check AZURE_CLIENT_ID and that the identity is assigned to the "
        "app, or log in with `az login`",
        retry_after=_PAUSE,
    )


@functools.cache
def _made(client_id: str) -> "TokenCredential":
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential(managed_identity_client_id=client_id or None)
