"""The cache folder of assets: where a file is, and whether it is the pinned one."""

import hashlib
import importlib.util
from pathlib import Path

from imaginem.assets.manifest import Asset, Manifest, load_manifest
from imaginem.errors import ConfigurationError


class AssetStore:
    """The assets in one cache folder.

    Args:
        folder: the setting IMAGINEM_ASSETS; created by the first fetch.
        manifest: the one that ships with this version, by default.
    """

    def __init__(self, folder: Path, manifest: Manifest | None = None) -> None:
        self.folder = folder
        self.manifest = manifest or load_manifest()

    def path(self, name: str) -> Path:
        """Return the path of a file; of its content, only the size is checked.

        Raises:
            ConfigurationError: the file is missing, or its size is wrong.
        """
        asset = self.manifest.assets[name]
        path = self.place(asset)
        if path is None or not path.is_file() or path.stat().st_size != asset.size:
            options = " --bench" if asset.kind == "bench" else ""
            raise ConfigurationError(f"{name} is missing: run `imaginem assets fetch{options}`")
        return path

    def place(self, asset: Asset) -> Path | None:
        """Return where a file belongs; None when the package that contains it isn't installed."""
        if not asset.installed:
            return self.folder / asset.file_name
        spec = importlib.util.find_spec(asset.installed)
        if spec is None or spec.origin is None:
            return None
        return Path(spec.origin).parent / asset.member

    def problem(self, asset: Asset) -> str:
        """Return what is wrong with a file; empty when it is the pinned one."""
        place = self.place(asset)
        if place is None:
            return f"the package {asset.installed} is not installed"
        if not place.is_file():
            return "missing"
        if sha256_of(place) != asset.sha256:
            return "not the pinned file: its sha256 differs"
        return ""

    def lacks(self, asset: Asset) -> bool:
        """Tell whether a file must still be fetched, or fetched again."""
        return not asset.installed and bool(self.problem(asset))


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
