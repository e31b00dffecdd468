"""Blobs on Azure Blob Storage, in private containers."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from azure.core import MatchConditions
from azure.core.exceptions import (
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import (
    BlobProperties,
    BlobSasPermissions,
    BlobServiceClient,
    ContentSettings,
    generate_blob_sas,
)

from imaginem.errors import Conflict, PermanentError
from imaginem.names import is_plain_path
from imaginem.ports import BlobInfo
from imaginem.redaction import without_query
from imaginem.storage.account import Account, storage_errors


class AzureBlobs:
    """Blobs of one storage account."""

    def __init__(self, account: Account) -> None:
        self._service: BlobServiceClient = account.client(BlobServiceClient, "blob")
        self._root = urlsplit(without_query(str(self._service.url)))
        # An emulator's address has the account's name in its path, Azure's in its host.
        host = (self._root.hostname or "").partition(".")[0]
        self._account_name = self._root.path.strip("/") or host

    def put(
        self,
        container: str,
        name: str,
        data: bytes,
        content_type: str,
        *,
        metadata: Mapping[str, str] | None = None,
        only_new: bool = False,
    ) -> str:
        """Write a blob; on 404 make the container and write again."""
        _check(container, name)
        blob = self._service.get_blob_client(container, name)
        how: dict[str, Any] = {
            "overwrite": not only_new,
            "content_settings": ContentSettings(content_type=content_type),
            "metadata": dict(metadata or {}),
        }
        with storage_errors(f"blob {container}/{name}"):
            try:
                try:
                    blob.upload_blob(data, **how)
                except ResourceNotFoundError:
                    self._create(container)
                    blob.upload_blob(data, **how)
            except ResourceExistsError:
                if not only_new:
                    raise
                raise Conflict(f"{container}/{name} exists") from None
        return without_query(str(blob.url))

    def address(self, container: str, name: str) -> str:
        """Return a blob's address."""
        return without_query(str(self._service.get_blob_client(container, name).url))

    def make(self, container: str) -> None:
        """Make a container if it is missing."""
        with storage_errors(f"container {container}"):
            self._create(container)

    def _create(self, container: str) -> None:
        try:
            self._service.create_container(container)  # private is the default
        except ResourceExistsError:
            return

    def get(self, container: str, name: str, limit: int, *, etag: str = "") -> bytes:
        """Return a blob's bytes, unless they are too many."""
        _check(container, name)
        blob = self._service.get_blob_client(container, name)
        with storage_errors(f"blob {container}/{name}"):
            try:
                stream = blob.download_blob(**_unless_changed(etag))
            except ResourceModifiedError:
                changed = blob.get_blob_properties().last_modified
                raise Conflict(
                    f"{container}/{name} was replaced at {changed:%Y-%m-%d %H:%M:%S} UTC"
                ) from None
            if stream.size > limit:
                raise PermanentError(
                    f"{container}/{name} has {stream.size} bytes; the limit is {limit}: "
                    "send a smaller one"
                )
            return bytes(stream.readall())

    def stat(self, container: str, name: str) -> BlobInfo:
        """Return what is known of a blob."""
        _check(container, name)
        with storage_errors(f"blob {container}/{name}"):
            found = self._service.get_blob_client(container, name).get_blob_properties()
            return _info(found)

    def delete(self, container: str, name: str, *, etag: str = "") -> None:
        """Remove a blob if it exists."""
        blob = self._service.get_blob_client(container, name)
        with storage_errors(f"blob {container}/{name}"):
            try:
                blob.delete_blob(**_unless_changed(etag))
            except (ResourceNotFoundError, ResourceModifiedError):
                return

    def list(self, container: str, prefix: str) -> list[str]:
        """Return the names that start with `prefix`."""
        with storage_errors(f"container {container}"):
            try:
                names = self._service.get_container_client(container).list_blob_names(
                    name_starts_with=prefix
                )
                return sorted(str(name) for name in names)
            except ResourceNotFoundError:
                return []

    def scan(self, container: str) -> Iterator[BlobInfo]:
        """Return every blob of a container."""
        with storage_errors(f"container {container}"):
            blobs = self._service.get_container_client(container).list_blobs(include=["metadata"])
            try:
                for blob in blobs:
                    yield _info(blob)
            except ResourceNotFoundError:
                return

    def locate(self, url: str) -> tuple[str, str] | None:
        """Return container and name of an address in our account."""
        try:
            parts = urlsplit(without_query(url))
            same = _host_and_port(parts) == _host_and_port(self._root)
        except ValueError:
            return None
        prefix = f"{self._root.path.rstrip('/')}/"
        if not same or parts.scheme not in ("http", "https") or not parts.path.startswith(prefix):
            return None
        container, _, name = parts.path[len(prefix) :].partition("/")
        name = unquote(name)
        return (container, name) if container and is_plain_path(name) else None

    def link(self, container: str, name: str, minutes: int) -> str:
        """Return a link for reading one blob; signed by our identity, or by the account's key."""
        _check(container, name)
        now = datetime.now(UTC)
        begins, ends = now - timedelta(minutes=5), now + timedelta(minutes=minutes)
        signer: dict[str, Any] = {
            "account_key": getattr(self._service.credential, "account_key", None)
        }
        if signer["account_key"] is None:
            with storage_errors("a key to sign links with"):
                signer = {
                    "user_delegation_key": self._service.get_user_delegation_key(begins, ends)
                }
        token = generate_blob_sas(
            self._account_name,
            container,
            name,
            permission=BlobSasPermissions(read=True),
            start=begins,
            expiry=ends,
            **signer,
        )
        return f"{self._service.get_blob_client(container, name).url}?{token}"


def _check(container: str, name: str) -> None:
    """Check that HTTP does not resolve a name to another container or folder."""
    if not is_plain_path(name):
        raise PermanentError(f"{container}/{name[:100]} is not a valid blob name: rename it")


def _unless_changed(etag: str) -> dict[str, Any]:
    """Return the options of a call that fails when a blob has another ETag; none without one."""
    if not etag:
        return {}
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified}


def _info(found: BlobProperties) -> BlobInfo:
    metadata = {name.lower(): value for name, value in (found.metadata or {}).items()}
    # A list has ETags without the quotes that headers have.
    etag = str(found.etag).strip('"')
    return BlobInfo(str(found.name), f'"{etag}"', int(found.size), metadata)


def _host_and_port(parts: SplitResult) -> tuple[str, int | None]:
    """Return host and port; the emulator is reached as 127.0.0.1 and as localhost."""
    host = (parts.hostname or "").lower()
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return "127.0.0.1" if host == "localhost" else host, parts.port or default
