"""Pinned files: fetched once, whole or not at all, and nothing but what is pinned."""

import errno
import hashlib
import io
import shutil
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from imaginem.assets import Asset, AssetStore, Manifest, Package, load_manifest
from imaginem.assets import fetch as fetch_module
from imaginem.assets.download import Progress
from imaginem.errors import ConfigurationError, DiskFull, RetryableError

FILES = {"pack/one.onnx": b"first weights", "pack/two.onnx": b"second weights"}


class Registry:
    """Stands for a package registry: hands out one archive, and counts."""

    def __init__(self, archive: Path) -> None:
        self.archive, self.downloads, self.down = archive, 0, False
        self._lock = threading.Lock()

    def download(self, package: Package, folder: Path, progress: Progress) -> Path:
        if self.down:
            raise RetryableError(f"{package.name} could not be downloaded: try again")
        with self._lock:
            self.downloads += 1
        time.sleep(0.05)
        progress(package.size)
        return Path(shutil.copy(self.archive, folder / package.archive))


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    archive = tmp_path / "pack.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, data in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    made = Registry(archive)
    monkeypatch.setattr(fetch_module, "download", made.download)
    return made


@pytest.fixture
def store(tmp_path: Path) -> AssetStore:
    def asset(member: str) -> Asset:
        data = FILES[member]
        name = Path(member).name
        digest = hashlib.sha256(data).hexdigest()
        return Asset(name, "model", digest, len(data), "MIT", package="pack==1", member=member)

    assets = {each.name: each for each in map(asset, FILES)}
    packages = {"pack==1": Package("pack==1", "pypi", "pack.tar.gz", "0" * 64, 100)}
    return AssetStore(tmp_path / "cache", Manifest(packages, assets))


def fetch(store: AssetStore) -> list[str]:
    return fetch_module.fetch(store, ["model"], lambda name, done, size: None)


def test_missing_files_are_fetched_and_then_left_alone(
    store: AssetStore, registry: Registry
) -> None:
    with pytest.raises(ConfigurationError, match="run `imaginem assets fetch`"):
        store.path("one.onnx")
    assert fetch(store) == ["one.onnx", "two.onnx"]
    assert store.path("one.onnx").read_bytes() == b"first weights"
    assert fetch(store) == []
    assert registry.downloads == 1


def test_two_processes_at_once_fetch_once(store: AssetStore, registry: Registry) -> None:
    stores = [AssetStore(store.folder, store.manifest) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        fetched = list(pool.map(fetch, stores))

    assert sorted(map(len, fetched)) == [0, 0, 0, 2]
    assert registry.downloads == 1


def test_a_damaged_file_is_fetched_again(store: AssetStore, registry: Registry) -> None:
    fetch(store)
    store.path("two.onnx").write_bytes(b"second damaged")
    assert fetch(store) == ["two.onnx"]
    assert store.path("two.onnx").read_bytes() == b"second weights"


def test_after_a_break_only_what_is_missing_is_fetched(
    store: AssetStore, registry: Registry
) -> None:
    registry.down = True
    with pytest.raises(RetryableError, match="try again"):
        fetch(store)
    registry.down = False
    assert len(fetch(store)) == 2


def test_a_full_disk_is_told_and_no_half_file_takes_room(
    store: AssetStore, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_half(path: Path, data: bytes) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", write_half)
    with pytest.raises(DiskFull, match=f"the disk of {store.folder} is full"):
        fetch(store)
    assert list(store.folder.glob("*.part")) == []


def test_nothing_is_kept_of_a_file_that_is_not_the_pinned_one(
    store: AssetStore, registry: Registry
) -> None:
    wrong = Asset(
        "one.onnx", "model", "f" * 64, 13, "MIT", package="pack==1", member="pack/one.onnx"
    )
    store.manifest.assets["one.onnx"] = wrong
    with pytest.raises(ConfigurationError, match="not the pinned file"):
        fetch(store)
    assert not list(store.folder.glob("one*"))


def test_the_manifest_pins_every_file_with_a_licence() -> None:
    manifest = load_manifest()
    assert manifest.assets
    for asset in manifest.assets.values():
        assert len(asset.sha256) == 64
        assert asset.licence
        assert asset.package in manifest.packages or asset.converter or asset.installed
        assert all(source in manifest.assets for source in asset.sources)
