"""Fetch one file that a step brings, from an address or a blob: no larger than it may be."""

import hashlib
import ssl
import urllib.request
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError

from filelock import FileLock

from imaginem.assets.fetch import Report
from imaginem.assets.weights import WeightsStore
from imaginem.errors import ConfigurationError, NotFound, RetryableError, disk_full, free_bytes
from imaginem.images.headers import declared_length
from imaginem.ports import Blobs
from imaginem.ports.weights import LARGEST, FileSource, is_safe_address
from imaginem.redaction import without_query

KEPT_FREE = 200 * 2**20
"""Bytes of the disk that a download leaves: the doctor asks for as much, for photos and results."""
_CHUNK = 2**20
_SECONDS = 60.0  # without a byte, after which an address counts as silent


def fetch_one(
    store: WeightsStore, step: str, source: FileSource, report: Report, blobs: Blobs
) -> None:
    """Fetch one file from an address or a blob, unless another process has done so.

    Args:
        store: the folder of assets.
        step: that brings the file.
        source: where it is.
        report: called with the progress.
        blobs: of the app's storage account.

    Raises:
        RetryableError: the download failed.
        ConfigurationError: nobody has it, it is not the declared one, it is too large, or the disk
            has no room for it. Nothing is kept of it then.
    """
    store.folder.mkdir(parents=True, exist_ok=True)
    target = store.place(source)
    with FileLock(store.folder / ".lock"):
        if not store.problem(source):
            return
        partial = target.with_name(f"{target.name}.part")
        try:
            with partial.open("wb") as file:
                download = _Download(step, source, store.folder, file, report)
                digest = download.from_blob(blobs) if source.blob else download.from_address()
            if digest != source.sha256:
                raise ConfigurationError(
                    f"the step {step}: {source.place} is not the declared file, its sha256 is "
                    f"{digest}: nothing was kept of it"
                )
            partial.replace(target)
        except OSError as problem:
            if (full := disk_full(problem, store.folder)) is not None:
                raise full from None
            raise
        finally:
            partial.unlink(missing_ok=True)


class _Download:
    """One download, which stops where the file is larger than it may be.

    Args:
        step: that brings the file.
        source: where it is.
        folder: on the disk that it is written to.
        file: to write it into.
        report: called with the progress.
    """

    def __init__(
        self, step: str, source: FileSource, folder: Path, file: IO[bytes], report: Report
    ) -> None:
        self._source, self._folder, self._file = source, folder, file
        self._named = f"the step {step}: {source.place}"
        self._report = report
        self._limit = source.size or LARGEST
        self._digest, self._done = hashlib.sha256(), 0

    def from_blob(self, blobs: Blobs) -> str:
        """Write a blob of the app's storage account; return its sha256."""
        container, _, name = self._source.blob.strip("/").partition("/")
        try:
            size = blobs.stat(container, name).size
            if size > self._limit:
                raise self._too_large(f"{size:,} bytes")
            self._check_room(size)
            self._write(blobs.get(container, name, self._limit), size)
        except NotFound as problem:
            raise ConfigurationError(
                f"{self._named} can't be fetched: {problem}: upload it, or correct `blob`"
            ) from None
        return self._digest.hexdigest()

    def from_address(self) -> str:
        """Write what an address answers with; return its sha256."""
        try:
            with _OPENER.open(self._source.url, timeout=_SECONDS) as answer:
                size = declared_length(answer.headers.get("Content-Length")) or 0
                if size > self._limit:
                    raise self._too_large(f"{size:,} bytes")
                self._check_room(size)
                while chunk := answer.read(_CHUNK):
                    if self._done + len(chunk) > self._limit:
                        raise self._too_large("more than that")
                    self._check_room(len(chunk))
                    self._write(chunk, size)
        except HTTPError as problem:
            problem.close()
            text = f"{self._named} can't be fetched: the server answers {problem.code}"
            if problem.code >= 500 or problem.code in (408, 429):
                raise RetryableError(f"{text}: try again") from None
            raise ConfigurationError(
                f"{text}: is the address right, and open to everybody?"
            ) from None
        except (URLError, TimeoutError, ConnectionError, HTTPException, ssl.SSLError) as problem:
            reason = getattr(problem, "reason", None) or problem
            raise RetryableError(f"{self._named} can't be fetched ({reason}): try again") from None
        if self._done < size:
            raise RetryableError(
                f"{self._named} ended after {self._done:,} of {size:,} bytes: try again"
            )
        return self._digest.hexdigest()

    def _write(self, data: bytes, size: int) -> None:
        self._file.write(data)
        self._digest.update(data)
        self._done += len(data)
        self._report(self._source.place, self._done, max(size, self._done))

    def _too_large(self, has: str) -> ConfigurationError:
        limit = f"{self._limit:,} bytes"
        fix = (
            f"size allows {limit}: correct size, or the place where the file is"
            if self._source.size
            else f"the limit is {limit}: is it the right file? If so, say `size` beside its sha256"
        )
        return ConfigurationError(f"{self._named} has {has}, and {fix}; nothing was kept of it")

    def _check_room(self, size: int) -> None:
        """Check that the disk has room for so many bytes, and for the app's work after them."""
        free = free_bytes(self._folder)
        if free is not None and free < size + KEPT_FREE:
            raise ConfigurationError(
                f"{self._named} needs {(self._done + size) / 1e6:,.1f} MB or more, and the disk "
                f"of {self._folder} has {(free + self._done) / 1e6:,.1f} MB free, of which "
                f"{KEPT_FREE / 1e6:.0f} are left for photos: make room there, or set "
                "IMAGINEM_ASSETS to a folder on another disk"
            )


class OnlySafely(urllib.request.HTTPRedirectHandler):
    """Follows an answer that leads elsewhere, to where a step's file may be declared to be."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the request to follow an answer with; arguments as of urllib's handler.

        Raises:
            ConfigurationError: it leads to an address without https.
        """
        if not is_safe_address(newurl) or (
            req.full_url.startswith("https://") and not newurl.startswith("https://")
        ):
            place = without_query(req.full_url)
            raise ConfigurationError(f"{place} leads to an address without https: give another")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(OnlySafely)
