"""Engines that run here, on ONNX models; see `docs/models.md`."""
