"""The storage account's addresses and credentials, and Imaginem's errors for the SDK's."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)

from imaginem.config.identity import credential
from imaginem.config.settings import Settings
from imaginem.errors import (
    ConfigurationError,
    DiskFull,
    NotFound,
    StorageSilent,
    StorageUnavailable,
    is_full,
)
from imaginem.ports.ledger import STORAGE
from imaginem.ports.metering import count
from imaginem.redaction import one_line

# Published by Microsoft for the emulator: "Use the Azurite emulator", well-known account.
_EMULATOR_ACCOUNT = "devstoreaccount1"
_EMULATOR_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
_LOOPBACK = re.compile(r"Endpoint=https?://(127\.0\.0\.1|localhost|\[::1\])[:/]", re.IGNORECASE)

_KINDS = {"GET": "read", "HEAD": "read", "DELETE": "delete"}
"""What a request does, by its method; all others write."""

CLIENT_OPTIONS: dict[str, Any] = {
    "retry_total": 2,
    "connection_timeout": 10,
    "read_timeout": 60,
    # By default queues and blobs wait 15 s before the second try, tables 0.8 s.
    "initial_backoff": 1,
    "increment_base": 2,
    "retry_backoff_factor": 0.5,
}
"""Short enough that a step does not outlive its lease; if all tries fail, the host redelivers."""


def emulator_connection_string(blob: int = 10000, queue: int = 10001, table: int = 10002) -> str:
    """Return the connection string of an Azurite on these loopback ports."""
    root = "http://127.0.0.1"
    return (
        f"DefaultEndpointsProtocol=http;AccountName={_EMULATOR_ACCOUNT};"
        f"AccountKey={_EMULATOR_KEY};"
        f"BlobEndpoint={root}:{blob}/{_EMULATOR_ACCOUNT};"
        f"QueueEndpoint={root}:{queue}/{_EMULATOR_ACCOUNT};"
        f"TableEndpoint={root}:{table}/{_EMULATOR_ACCOUNT};"
    )


@dataclass(frozen=True)
class Account:
    """A storage account: a connection string, or a name and a managed identity.

    Attributes:
        connection_string: empty when an identity is used.
        name: of the account, when an identity is used.
        client_id: of a user-assigned identity; empty for the system's.
        endpoints: addresses by service, where they are not the public cloud's.
        folder: on the disk of an emulator on this machine; None for another account.
    """

    connection_string: str = field(default="", repr=False)
    name: str = ""
    client_id: str = ""
    endpoints: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None

    def client(self, kind: Any, service: str) -> Any:
        """Return a service client.

        Args:
            kind: the SDK's service client class.
            service: `blob`, `queue` or `table`.
        """
        options = {**CLIENT_OPTIONS, "raw_request_hook": partial(_count, service)}
        if self.folder is not None:
            options = {**options, "raw_response_hook": partial(_check_disk, self.folder)}
        if self.connection_string:
            from imaginem.storage.transport import direct_transport  # it loads `requests`

            options = {**options, **direct_transport(self.connection_string, service, options)}
            try:
                return kind.from_connection_string(self.connection_string, **options)
            except ValueError as problem:
                raise ConfigurationError(
                    f"AzureWebJobsStorage is no connection string ({problem}): copy it from the "
                    "storage account's access keys, or leave it empty for the emulator"
                ) from None
        usual = f"https://{self.name}.{service}.core.windows.net"
        endpoint = self.endpoints.get(service, usual)
        return kind(endpoint, credential=credential(self.client_id), **options)


def account_of(settings: Settings) -> Account:
    """Return the account that the settings name; the local emulator if none."""
    connection = settings.storage_connection
    if settings.uses_emulator:
        first = settings.emulator_port
        connection = emulator_connection_string(first, first + 1, first + 2)
    return Account(
        connection,
        settings.storage_account,
        settings.storage_client_id,
        settings.storage_endpoints,
        settings.home.absolute() if _LOOPBACK.search(connection) else None,
    )


def _count(service: str, request: Any) -> None:
    """Count a request that is sent, each try by itself: each is billed."""
    count(STORAGE, f"{service} {_KINDS.get(request.http_request.method, 'write')}")


def _check_disk(folder: Path, answered: Any) -> None:
    """Find out whether a full disk is behind an answer: the emulator says nothing but 500.

    Raises:
        DiskFull: it is.
    """
    response = answered.http_response
    if response.status_code == 500 and is_full(folder):
        raise DiskFull("the storage emulator", folder)


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Turn the SDK's errors into ours.

    Raises:
        NotFound: what was asked for does not exist.
        StorageUnavailable: storage refused.
        StorageSilent: it did not answer. No advice is given here: a host keeps its emulator itself.
    """
    try:
        yield
    except ResourceNotFoundError:
        raise NotFound(f"{what} does not exist") from None
    except ClientAuthenticationError as problem:
        raise StorageUnavailable(
            f"{what}: storage refused our credentials ({one_line(problem.message, 200)}): check "
            "AzureWebJobsStorage and the role assignments"
        ) from None
    except HttpResponseError as problem:
        if getattr(problem, "error_code", "") == "PopReceiptMismatch":
            raise NotFound(f"{what} was delivered again meanwhile") from None
        raise StorageUnavailable(f"{what}: {one_line(problem.message, 300)}") from None
    except AzureError as problem:
        raise StorageSilent(
            f"{what}: storage did not answer ({one_line(str(problem), 200)})"
        ) from None
