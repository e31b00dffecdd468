"""The manifest: every file pinned by sha256, with its source and its licence."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pydantic_core import from_json


@dataclass(frozen=True)
class Package:
    """A registry's package that carries files for us.

    Attributes:
        name: with its version, `name==1.2.3`.
        index: `pypi` or `npm`.
        archive: file name of the archive that the hash is of.
        platform: pip's platform tag, where the package has a wheel for each platform.
        sdist: the package has no wheel.
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
    """A file: a member of a package, a conversion, or a file of an installed package.

    Attributes:
        kind: `model`, `sample`, or `bench` (photos for measuring alone).
        sources: assets that `converter` makes it from.
        installed: import name of an installed package that holds it.
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

    @property
    def file_name(self) -> str:
        """Name in the cache: a new pin is a new file, so that versions live side by side."""
        path = Path(self.name)
        return f"{path.stem}-{self.sha256[:8]}{path.suffix}"


@dataclass(frozen=True)
class Manifest:
    """Packages and files by name."""

    packages: dict[str, Package]
    assets: dict[str, Asset]

    def of_kind(self, *kinds: str) -> list[Asset]:
        """Return the files of these kinds, sources before what is made of them."""
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
