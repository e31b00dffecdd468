"""Objects, colours and kind of picture, for engines that look for none of them."""

from imaginem.assets import AssetStore
from imaginem.engines.local.colors import colors, image_type, thumbnail
from imaginem.engines.local.models import RuntimeSetting
from imaginem.engines.local.objects import ObjectDetector
from imaginem.images.decoding import Photo
from imaginem.outputs import ImageAnalysis, PhotoMetadata


class LocalSupplement:
    """Finds what needs no tagger.

    Args:
        store: has the weights.
        runtime: the setting LOCAL_RUNTIME.
    """

    def __init__(self, store: AssetStore, runtime: RuntimeSetting = "auto") -> None:
        self._objects = ObjectDetector(store, runtime)

    def __call__(self, photo: Photo) -> ImageAnalysis:
        """Return an analysis that holds objects, colours and the kind of picture alone."""
        rgb = photo.array
        return ImageAnalysis(
            objects=self._objects.objects(rgb),
            color=colors(thumbnail(rgb)),
            image_type=image_type(rgb),
            metadata=PhotoMetadata(width=photo.width, height=photo.height, format=photo.format),
        )
