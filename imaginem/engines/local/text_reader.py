"""RapidOCR with the networks of this engine, so that these run on the runtime that suits them."""

import logging
from types import SimpleNamespace
from typing import Any

from imaginem.engines.local.models import Model
from imaginem.errors import ConfigurationError

LONGEST = 960
"""Pixels of the longer side when text is located; docs/models.md: what it misses."""


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
    # Its parameters are texts and numbers only; a session is put in afterwards.
    reader.cfg = OmegaConf.create(reader.cfg, flags={"allow_objects": True})
    reader.cfg.Det.session = _as_session(detection)
    reader.cfg.Rec.session = _as_session(recognition)
    return reader


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
