"""Pinned model weights and sample photos: the manifest, the cache folder, and downloading."""

from imaginem.assets.manifest import Asset, Manifest, Package, load_manifest
from imaginem.assets.store import AssetStore

__all__ = ["Asset", "AssetStore", "Manifest", "Package", "load_manifest"]
