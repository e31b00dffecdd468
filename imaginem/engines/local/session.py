"""ONNX models, loaded on first use and once per process."""

import threading
from functools import cache
from typing import TYPE_CHECKING, Any

from imaginem.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


@cache
def shared_model(path: "Path") -> "Model":
    """Return the model of a file; a process has only one."""
    return Model(path)


class Model:
    """A model file; its session is made for the first run and shared by all threads.

    Args:
        path: the ONNX file.
    """

    def __init__(self, path: "Path") -> None:
        self._path = path
        self._session: Any = None
        self._lock = threading.Lock()

    def _open(self) -> Any:
        with self._lock:
            if self._session is None:
                try:
                    import onnxruntime
                except ImportError:
                    raise ConfigurationError(
                        "the local engine needs onnxruntime: `pip install -r "
                        "requirements-local.txt`, or choose another engine"
                    ) from None
                options = onnxruntime.SessionOptions()
                # Parallel workers beat parallel operators here; see docs/architecture.md.
                options.intra_op_num_threads = 1
                options.inter_op_num_threads = 1
                options.log_severity_level = 3
                options.enable_mem_pattern = False  # inputs have a new size each time
                options.enable_cpu_mem_arena = False  # an arena never gives memory back
                self._session = onnxruntime.InferenceSession(
                    str(self._path), options, providers=["CPUExecutionProvider"]
                )
            return self._session

    def run(self, inputs: "dict[str, NDArray[Any]]", *outputs: str) -> "list[NDArray[np.float32]]":
        """Return the named outputs, or all of them in the model's order."""
        values: list[Any] = self._open().run(list(outputs) or None, inputs)
        return values
