"""What the local engine adds to an analysis by a service that does not look for it."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

from imaginem.assets import AssetStore
from imaginem.config.engine_table import EngineTable
from imaginem.config.settings import Settings
from imaginem.errors import ConfigurationError
from imaginem.images.decoding import Photo
from imaginem.outputs import ImageAnalysis
from imaginem.ports import VISION

PARTS = ("objects", "color", "image_type")
"""The fields of an analysis that the local engine finds without its tagger."""
_LOCAL = "imaginem.engines.local"
_MODEL_FILES = ("centernet.onnx", "coco-labels.ts")

Supplement = Callable[[Photo], ImageAnalysis]
"""Returns an analysis with `PARTS` alone."""


def local_supplement(settings: Settings) -> Supplement | None:
    """Return what finds `PARTS`; None where packages or weights of the local engine are missing."""
    if not _is_installed(settings.engine_table):
        return None
    store = AssetStore(settings.assets)
    try:
        for name in _MODEL_FILES:
            store.path(name)
    except ConfigurationError:
        return None
    # Named, not imported: a package for Azure engines alone does not have the module.
    supplement: Supplement = import_module(f"{_LOCAL}.supplement").LocalSupplement(
        store, settings.local_runtime
    )
    return supplement


def supplemented(
    found: ImageAnalysis, supplement: Supplement | None, photo: Photo
) -> ImageAnalysis:
    """Return an analysis with the `PARTS` that a service did not look for.

    Args:
        found: by the service.
        supplement: finds them; None if nothing here does, and the analysis stays as it is.
        photo: that was looked at.
    """
    if supplement is None:
        return found
    added = supplement(photo)
    parts = {name: getattr(added, name) for name in PARTS}
    return found.model_copy(update={**parts, "not_looked_for": None})


def _is_installed(table: EngineTable) -> bool:
    packages = table.row(VISION).provider("local").packages
    return all(find_spec(package) for package in (*packages, _LOCAL))
