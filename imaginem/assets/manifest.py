"""The manifest: every file with its sha256, the package it comes from, and its licence."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pydantic_core import from_json


@dataclass(frozen=True)
class Package:
    """A package of a registry from which files are extracted.

    Attributes:
        name: with its version, `name==1.2.3`.
        index: the registry: `pypi` or `npm`.
        archive: file name of the archive.
        sha256: of the archive, as hex.
        size: of the archive, in bytes.
        platform: pip's platform tag, where the package has a wheel for each platform.
        sdist: whether the archive is a source distribution, for lack of a wheel.
    """

    name: str
    index: str
    archive: str
    sha256: str
    size: int
    platform: str = ""
    sdist: bool = False


@dataclass(frozen=True)
class Asset:
    """A file: extracted from a package, converted, or part of an installed package.

    Attributes:
        kind: `model`, `sample`, `bench` (photos for benchmarks only), or `language` with the code
            of the language data that it is.
        sha256: of the file, as hex.
        size: in bytes.
        package: name of the package it is extracted from.
        member: its path in that package.
        converter: name of the conversion that makes it.
        sources: names of the assets that the converter reads.
        installed: import name of the installed Python package that contains it.
        kept_as: name in the cache folder; empty for one made of name and sha256.
    """

    name: str
    kind: str
    sha256: str
    size: int
    licence: str
    package: str = ""
    member: str = ""
    converter: str = ""
    sources: tuple[str, ...] = field(default=())
    installed: str = ""
    kept_as: str = ""

    @property
    def file_name(self) -> str:
        """Name in the cache folder: with part of the hash, so that versions are kept apart."""
        if self.kept_as:
            return self.kept_as
        path = Path(self.name)
        return f"{path.stem}-{self.sha256[:8]}{path.suffix}"


@dataclass(frozen=True)
class Manifest:
    """Packages and files by name."""

    packages: dict[str, Package]
    assets: dict[str, Asset]

    def of_kind(self, *kinds: str) -> list[Asset]:
        """Return the files of these kinds, sources before the files converted from them."""
        return [asset for asset in self.assets.values() if asset.kind in kinds]


@cache
def load_manifest() -> Manifest:
    """Return the manifest that ships with this version."""
    raw = from_json(Path(__file__).with_name("manifest.json").read_bytes())
    packages = {name: Package(name=name, **entry) for name, entry in raw["packages"].items()}
    assets = {
        name: Asset(name=name, **{**entry, "sources": tuple(entry.get("sources", ()))})
        for name, entry in raw["files"].items()
    }
    return Manifest(packages, assets)
