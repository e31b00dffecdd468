"""Models that steps bring, run by onnxruntime."""

from imaginem.engines.onnx.own_models import OwnModels

__all__ = ["OwnModels"]
