"""Networks on onnxruntime."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaginem.engines.local.runtimes.prelus import without_prelus
from imaginem.engines.local.runtimes.session import Arrays, Session, Unusable


class _OnnxruntimeSession:
    def __init__(self, session: Any) -> None:
        self._session = session

    @property
    def inputs(self) -> list[str]:
        return [value.name for value in self._session.get_inputs()]

    @property
    def outputs(self) -> list[str]:
        return [value.name for value in self._session.get_outputs()]

    @property
    def metadata(self) -> Mapping[str, str]:
        texts: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map
        return texts

    def run(self, inputs: Arrays, outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        values: list[Any] = self._session.run(list(outputs) or None, dict(inputs))
        return values


def open_network(path: Path) -> Session:
    """Open a network, which runs on the calling thread alone.

    Args:
        path: the ONNX file.

    Raises:
        Unusable: onnxruntime is missing.
    """
    return _OnnxruntimeSession(open_session(path))


def open_session(path: Path) -> Any:
    """Return onnxruntime's own session, which knows the shapes and types of inputs and outputs.

    Raises:
        Unusable: onnxruntime is missing.
    """
    try:
        import onnxruntime
    except ImportError as problem:
        raise Unusable(str(problem)) from None
    options = onnxruntime.SessionOptions()
    # Parallel workers beat parallel operators here; see docs/architecture.md.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_pattern = False  # inputs have a new size each time
    options.enable_cpu_mem_arena = False  # an arena never gives memory back
    network = without_prelus(path) or str(path)
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
