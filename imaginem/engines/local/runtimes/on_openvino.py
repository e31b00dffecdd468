"""Networks on OpenVINO, which compiles them for the processor; what it compiled is kept on disk."""

import logging
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaginem.engines.local.runtimes.choices import Precision, Processor
from imaginem.engines.local.runtimes.compiled import CompiledCache, CompiledNetwork
from imaginem.engines.local.runtimes.session import Arrays, Session, Unusable

_logger = logging.getLogger("imaginem.engines.local")
_DEVICE = "CPU"
_KEPT_OPERATORS = 400
"""Operators of a network that are kept compiled for sizes of pictures that it has seen.

By default 5,000 are: text detection had 316 MB after 59 sizes, and has 187. Thirteen sizes in
turn, as in `make bench`, take the same time from 200 on.
"""


@cache
def openvino() -> Any:
    """Return the package, which sends nothing anywhere.

    Importing `openvino` imports its converter, which reports the import to Google Analytics. Both
    the converter and the package that would send are kept out: OpenVINO goes on without them.

    Raises:
        Unusable: it is missing, or does not load on this machine.
    """
    for unwanted in ("openvino_telemetry", "openvino.tools.ovc"):
        sys.modules.setdefault(unwanted, None)  # type: ignore[arg-type]  # means: can't be imported
    try:
        import openvino
    except (ImportError, OSError) as problem:
        raise Unusable(str(problem)) from None
    return openvino


@cache
def _core() -> Any:
    return openvino().Core()


@cache
def processor() -> Processor:
    """Return what this machine's processor has.

    OpenVINO lists BF16 from AVX-512 on, also where it would have to be imitated; a network that is
    compiled with no wish says whether the processor has it.

    Raises:
        Unusable: OpenVINO is missing.
    """
    package, core = openvino(), _core()
    if core.get_property(_DEVICE, "DEVICE_ARCHITECTURE") != "intel64":
        return Processor.OTHER
    if "BF16" not in core.get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES"):
        return Processor.PLAIN
    ops = package.opset13
    number = ops.parameter([1], np.float32)
    smallest = core.compile_model(package.Model([ops.relu(number)], [number]), _DEVICE)
    if smallest.get_property("INFERENCE_PRECISION_HINT") != package.Type.bf16:
        return Processor.AVX512
    # There is no property for AMX: of processors with bf16, nearly all of Intel's have it.
    name = str(core.get_property(_DEVICE, "FULL_DEVICE_NAME"))
    return Processor.AMX if "Intel" in name else Processor.BF16


class _OpenVinoSession:
    """One run at a time: OpenVINO would queue a second one on the same thread."""

    def __init__(self, compiled: Any, metadata: Mapping[str, str]) -> None:
        self.inputs = [port.any_name for port in compiled.inputs]
        self.outputs = [port.any_name for port in compiled.outputs]
        self.metadata = metadata
        self._request = compiled.create_infer_request()
        self._lock = threading.Lock()

    def run(self, inputs: Arrays, outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        with self._lock:
            # The inputs are read where they lie; the outputs are copied, so they outlive a run.
            values = self._request.infer(dict(inputs), share_inputs=True)
        return [values[name] for name in outputs or self.outputs]


def _properties(precision: Precision) -> dict[str, Any]:
    return {
        "INFERENCE_NUM_THREADS": 1,  # parallel workers beat parallel operators here
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,  # two workers would be pinned to the same core
        "INFERENCE_PRECISION_HINT": precision,
        "CPU_RUNTIME_CACHE_CAPACITY": _KEPT_OPERATORS,
    }


def open_network(path: Path, precision: Precision, folder: Path) -> Session:
    """Open a network, which runs on one thread.

    Args:
        path: the ONNX file.
        precision: of the arithmetic.
        folder: where compiled networks are kept.

    Raises:
        Unusable: OpenVINO is missing, or does not know an operator of the network.
    """
    package, core = openvino(), _core()
    properties = _properties(precision)
    name = core.get_property(_DEVICE, "FULL_DEVICE_NAME")
    kept = CompiledCache(folder, f"{package.__version__} {name} {processor()} {properties}")
    if (found := kept.read(path)) is not None:
        try:
            compiled = core.import_model(found.blob, _DEVICE, properties)
        except Exception:  # it says no in many ways, and compiling anew helps against all of them
            _logger.warning("OpenVINO refused the compiled %s: it is compiled anew", path.name)
        else:
            return _OpenVinoSession(compiled, found.metadata)
    try:
        network = core.read_model(path)
        compiled = core.compile_model(network, _DEVICE, properties)
    except RuntimeError as problem:
        raise Unusable(f"it refuses {path.name}: {problem}") from None
    metadata = _metadata(network)
    kept.write(path, CompiledNetwork(compiled.export_model().getvalue(), metadata))
    return _OpenVinoSession(compiled, metadata)


def _metadata(network: Any) -> dict[str, str]:
    """Return the texts of an ONNX file, which OpenVINO calls those of its framework."""
    information = network.get_rt_info()
    if "framework" not in information:
        return {}
    texts = information["framework"]
    return {str(key): str(texts[key].value) for key in texts}
