"""How likely a photo is to be unfit for others, by Yahoo's open_nsfw (2016)."""

import io

import numpy as np
from PIL import Image

from imaginem.assets import AssetStore
from imaginem.engines.local.models import RuntimeSetting, shared_model
from imaginem.images.decoding import Photo
from imaginem.outputs import Adult

_MEAN_BGR = np.array([104, 117, 123], np.float32)
# Yahoo advises: a photo under 0.2 is safe, one over 0.8 is not.
_ADULT, _RACY = 0.8, 0.5


class AdultScorer:
    """Scores how likely photos are to be unfit.

    Args:
        store: has the weights.
        runtime: the setting LOCAL_RUNTIME.
    """

    def __init__(self, store: AssetStore, runtime: RuntimeSetting = "auto") -> None:
        self._model = shared_model(store, "open-nsfw.onnx", runtime)

    def score(self, photo: Photo) -> Adult:
        """Return the score, 0 to 1; the network gives one number, which serves for racy too."""
        small = photo.pil.resize((256, 256), Image.Resampling.BILINEAR, reducing_gap=2.0)
        # The network was trained on JPEG files, so its reference preprocessing makes one.
        encoded = io.BytesIO()
        small.crop((16, 16, 240, 240)).save(encoded, "JPEG", quality=75)
        bgr = np.asarray(Image.open(encoded), np.float32)[:, :, ::-1] - _MEAN_BGR
        probabilities = self._model.run({"input:0": np.ascontiguousarray(bgr[None])})[0]
        score = round(float(probabilities[0, 1]), 4)
        return Adult(
            is_adult_content=score >= _ADULT,
            adult_score=score,
            is_racy_content=score >= _RACY,
            racy_score=score,
        )
