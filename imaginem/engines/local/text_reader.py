"""RapidOCR with the networks of this engine, so that these run on the runtime that suits them."""

import logging
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaginem.engines.local.models import Model
from imaginem.errors import ConfigurationError

Array = NDArray[Any]

LONGEST = 960
"""Pixels of the longer side when text is located; docs/models.md: what it misses."""
THINNEST = 30
"""Most times that a photo may be as long as it is wide: its short side is at least one cell of 32
pixels when text is located. RapidOCR breaks at a side that rounds to no cell."""
# What the network gets for each value of a channel: -1 to 1.
_SCALED = ((np.arange(256) / 255 - 0.5) / 0.5).astype(np.float32)


def make_reader(detection: Model, recognition: Model) -> Any:
    """Return RapidOCR, which locates and reads lines of text.

    Args:
        detection: locates lines.
        recognition: reads one.

    Raises:
        ConfigurationError: rapidocr is not installed.
    """
    try:
        from omegaconf import OmegaConf
        from rapidocr import RapidOCR
    except ImportError:
        raise ConfigurationError(
            "the local engine needs rapidocr: `pip install -r requirements-local.txt`"
        ) from None
    reader = RapidOCR(
        params={
            "Global.log_level": "critical",
            # The classifier of text direction sometimes turns upright lines over.
            "Global.use_cls": False,
            "Global.max_side_len": 2000,
            "Det.limit_type": "max",
            "Det.limit_side_len": LONGEST,
            "Rec.rec_batch_num": 1,
        }
    )
    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
    # Its parameters are texts and numbers only; what we make is put in afterwards.
    reader.cfg = OmegaConf.create(reader.cfg, flags={"allow_objects": True})
    reader.cfg.Rec.session = _as_session(recognition)
    reader.cfg.Det.session = _as_session(detection)
    reader.cfg.Det.engine_cfg = {}
    reader.text_det = _detector(reader.cfg.Det)
    return reader


def padded(bgr: Array) -> Array:
    """Return a picture that is not too thin for the reader; coordinates in it stay the same.

    What is added lies to the right or below, in the most usual brightness: mostly the paper's.

    Args:
        bgr: height x width x 3.
    """
    height, width = bgr.shape[:2]
    least = -(-max(height, width) // THINNEST)
    below, right = max(least - height, 0), max(least - width, 0)
    if not below and not right:
        return bgr
    color = [float(value) for value in np.median(bgr.reshape(-1, 3), axis=0)]
    return cv2.copyMakeBorder(bgr, 0, below, 0, right, cv2.BORDER_CONSTANT, value=color)


def read_crops(reader: Any, crops: list[Array]) -> list[tuple[str, float]]:
    """Return what is read in lines, and its score; an empty text and 0 if they can't be read.

    Args:
        reader: as `make_reader` returns it.
        crops: lines, BGR.
    """
    result = reader.recognize_txt(crops)
    return [
        (text, float(score)) if text.strip() and score >= reader.text_score else ("", 0.0)
        for text, score in zip(result.txts, result.scores, strict=True)
    ]


def _detector(parameters: Any) -> Any:
    """Return RapidOCR's detector with a preparation of photos that makes no copies in f64."""
    from rapidocr.ch_ppocr_det import TextDetector
    from rapidocr.ch_ppocr_det.utils import DetPreProcess

    class Preparation(DetPreProcess):
        def __call__(self, img: Array) -> Array | None:
            resized = self.resize(img)
            if resized is None:
                return None
            prepared = np.empty((1, 3, *resized.shape[:2]), np.float32)
            for channel, plane in enumerate(cv2.split(resized)):
                cv2.LUT(plane, _SCALED, dst=prepared[0, channel])
            return prepared

    class Detector(TextDetector):
        def get_preprocess(self) -> Preparation:
            return Preparation(LONGEST, "max")

    return Detector(parameters)


def _as_session(model: Model) -> Any:
    """Return a model as RapidOCR takes it: by its looks a session of onnxruntime."""
    from onnxruntime import InferenceSession

    class ModelSession(InferenceSession):  # type: ignore[misc]  # it has no types
        def __init__(self) -> None:
            """Open nothing: the model opens itself on whatever runtime it is."""

        def get_inputs(self) -> list[Any]:
            return [SimpleNamespace(name=name) for name in model.inputs]

        def get_outputs(self) -> list[Any]:
            return [SimpleNamespace(name=name) for name in model.outputs]

        def get_modelmeta(self) -> Any:
            return SimpleNamespace(custom_metadata_map=dict(model.metadata))

        def run(self, outputs: list[str], inputs: dict[str, Any], run_options: Any = None) -> Any:
            return model.run(inputs, *outputs)

    return ModelSession()
