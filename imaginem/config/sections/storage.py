"""The storage account, the database, and the identity that replaces their keys."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from imaginem.config.declare import Expected, Section, setting
from imaginem.config.value_types import FirstOfThreePorts, Folder, WebAddress, one_of

SqlDriver = Annotated[str, one_of(("pyodbc", "mssql-python")), Expected("pyodbc or mssql-python")]

DEVELOPMENT_STORAGE = "UseDevelopmentStorage=true"
_EMULATOR_ACCOUNT = "devstoreaccount1"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
STORAGE_IDENTITY = tuple(
    f"AzureWebJobsStorage__{part}"
    for part in (
        "accountName",
        "credential",
        "clientId",
        "blobServiceUri",
        "queueServiceUri",
        "tableServiceUri",
    )
)
"""Settings that name a storage account without a key."""
_ENDPOINTS = ("storage_blob_endpoint", "storage_queue_endpoint", "storage_table_endpoint")


def _usual_connection(above: dict[str, Any]) -> str:
    """Return the emulator's, unless an identity is used."""
    by_identity = above["storage_account"] or any(above[name] for name in _ENDPOINTS)
    return "" if by_identity else DEVELOPMENT_STORAGE


def _usual_client_id(above: dict[str, Any]) -> str:
    client_id: str = above["client_id"]
    return client_id


class StorageSettings(Section):
    """Where jobs, photos and results are kept."""

    storage_account: str = setting(
        "AzureWebJobsStorage__accountName",
        "",
        "name of the storage account, when an identity is used instead of a key",
    )
    storage_blob_endpoint: WebAddress = setting(
        "AzureWebJobsStorage__blobServiceUri",
        "",
        "address of the account's blob service, where it is not in the public cloud",
        usual="from the name",
        not_on_azure="the name is enough in Azure's own clouds",
    )
    storage_queue_endpoint: WebAddress = setting(
        "AzureWebJobsStorage__queueServiceUri",
        "",
        "address of the account's queue service, where it is not in the public cloud",
        usual="from the name",
        not_on_azure="the name is enough in Azure's own clouds",
    )
    storage_table_endpoint: WebAddress = setting(
        "AzureWebJobsStorage__tableServiceUri",
        "",
        "address of the account's table service, where it is not in the public cloud",
        usual="from the name",
        not_on_azure="the name is enough in Azure's own clouds",
    )
    storage_connection: str = setting(
        "AzureWebJobsStorage",
        _usual_connection,
        "connection string of the storage account",
        usual="the local emulator",
        secret=True,
        not_on_azure="keys are off",
    )
    emulator_port: FirstOfThreePorts = setting(
        "EMULATOR_PORT",
        10000,
        "first of the three ports of the local emulator, for a second home on one machine",
        not_on_azure="there is no emulator on Azure",
    )
    client_id: str = setting(
        "AZURE_CLIENT_ID",
        "",
        "client id of a user-assigned identity, for the AI accounts, SQL and telemetry",
        usual="the system's identity, or yours",
    )
    storage_client_id: str = setting(
        "AzureWebJobsStorage__clientId",
        _usual_client_id,
        "client id of the identity for storage",
        usual="as `AZURE_CLIENT_ID`",
    )
    sql_connection: str = setting(
        "SQL_CONNECTION_STRING",
        "",
        "a SQLAlchemy address, or an ODBC connection string for Azure SQL",
        usual="a SQLite file in `IMAGINEM_HOME`",
        secret=True,
    )
    sql_driver: SqlDriver = setting(
        "SQL_DRIVER",
        "pyodbc",
        "what talks to Azure SQL: `pyodbc` with an ODBC driver of the machine, or Microsoft's "
        "package `mssql-python`, which brings its own",
    )
    home: Folder = setting(
        "IMAGINEM_HOME",
        Path(".imaginem"),
        "folder of the emulator's data, of the SQLite file and of the index of faces",
        usual="`.imaginem` in the folder of the app (`--app`, else the one you are in)",
        not_on_azure="there is no SQLite on Azure",
    )

    @property
    def uses_emulator(self) -> bool:
        """Whether storage is the local emulator, which `imaginem start` brings."""
        return self.storage_connection == DEVELOPMENT_STORAGE

    @property
    def storage_name(self) -> str:
        """What people may be told of where storage is: no secret."""
        if self.uses_emulator:
            return "the local emulator"
        parts = dict(part.partition("=")[::2] for part in self.storage_connection.split(";"))
        address = parts.get("BlobEndpoint") or self.storage_blob_endpoint
        host = urlsplit(address).netloc.rpartition("@")[2]
        name = parts.get("AccountName") or self.storage_account
        return f"the account {' at '.join(filter(None, (name, host)))}"

    @property
    def storage_may_forget(self) -> bool:
        """Whether storage is an emulator on this machine, by whichever ports: it saves late."""
        if self.uses_emulator:
            return True
        parts = dict(part.partition("=")[::2] for part in self.storage_connection.split(";"))
        host = urlsplit(parts.get("BlobEndpoint", "")).hostname
        return parts.get("AccountName") == _EMULATOR_ACCOUNT and host in _LOOPBACK

    @property
    def storage_endpoints(self) -> Mapping[str, str]:
        """The addresses of blob, queue and table service that are set."""
        addresses = {
            "blob": self.storage_blob_endpoint,
            "queue": self.storage_queue_endpoint,
            "table": self.storage_table_endpoint,
        }
        return {service: address for service, address in addresses.items() if address}


def storage_problems(settings: StorageSettings) -> list[str]:
    """Return what contradicts itself in the settings of the storage account."""
    problems = []
    endpoints = settings.storage_endpoints
    if endpoints and not settings.storage_account and len(endpoints) < len(_ENDPOINTS):
        problems.append(
            "AzureWebJobsStorage__blobServiceUri and AzureWebJobsStorage__queueServiceUri and "
            "AzureWebJobsStorage__tableServiceUri: set all three, or "
            "AzureWebJobsStorage__accountName"
        )
    if (settings.storage_account or endpoints) and settings.storage_connection:
        other = "accountName" if settings.storage_account else f"{min(endpoints)}ServiceUri"
        problems.append(
            f"AzureWebJobsStorage and AzureWebJobsStorage__{other} are both set: remove one"
        )
    return problems
