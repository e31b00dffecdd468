"""Pinned weights and sample photos: what they are, where they lie, getting them."""

from imaginem.assets.manifest import Asset, Manifest, Package, load_manifest
from imaginem.assets.store import AssetStore

__all__ = ["Asset", "AssetStore", "Manifest", "Package", "load_manifest"]
