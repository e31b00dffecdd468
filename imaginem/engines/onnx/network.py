"""An ONNX network with the shapes and types of its inputs and outputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaginem.engines.local.models import processors
from imaginem.engines.local.runtimes.on_onnxruntime import open_session
from imaginem.engines.local.runtimes.session import Unusable
from imaginem.engines.onnx.outside_data import outside_data
from imaginem.errors import ConfigurationError

_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
"""The types that pictures may have, by onnxruntime's names."""


@dataclass(frozen=True)
class Tensor:
    """An input or output of a network.

    Attributes:
        name: of it.
        shape: its sides; None for one that may be any.
        type: as onnxruntime names it.
    """

    name: str
    shape: tuple[int | None, ...]
    type: str

    @property
    def dtype(self) -> Any:
        """The type for numpy; None if no picture can have it."""
        return _TYPES.get(self.type)

    def __str__(self) -> str:
        """Return name and shape for people."""
        return f"{self.name} ({' x '.join('any' if n is None else str(n) for n in self.shape)})"


class OnnxNetwork:
    """An open network; fulfils `imaginem.ports.Network`.

    Args:
        path: the ONNX file.
        wanted_by: names the step or card, for errors.

    Raises:
        ConfigurationError: onnxruntime is missing, or refuses the file; or the file keeps numbers
            in other files, of which nobody has declared a sha256.
    """

    def __init__(self, path: Path, wanted_by: str) -> None:
        if outside := outside_data(path):
            raise ConfigurationError(
                f"{wanted_by}: {path.name} keeps its numbers in {', '.join(outside[:3])}, of which "
                "no sha256 is declared: make one file of both, as docs/own-models.md shows"
            )
        try:
            self._session = open_session(path)
        except Unusable:
            raise ConfigurationError(
                f"{wanted_by} needs onnxruntime: `pip install -r requirements-local.txt`"
            ) from None
        except (OSError, MemoryError):
            raise
        except Exception as problem:  # onnxruntime has a class for each of its reasons
            first = str(problem).partition("\n")[0]
            raise ConfigurationError(
                f"{wanted_by}: onnxruntime can't open {path.name} ({first}): is it an ONNX file?"
            ) from None
        self.input_tensors = [_tensor(value) for value in self._session.get_inputs()]
        self.output_tensors = [_tensor(value) for value in self._session.get_outputs()]

    @property
    def inputs(self) -> list[str]:
        """The names of the inputs."""
        return [tensor.name for tensor in self.input_tensors]

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs."""
        return [tensor.name for tensor in self.output_tensors]

    @property
    def metadata(self) -> Mapping[str, str]:
        """The texts that the network's makers put into its file."""
        texts: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map
        return texts

    def run(self, inputs: Mapping[str, Any], *outputs: str) -> list[NDArray[Any]]:
        """Return the named outputs, or all of them; a process runs as many as it has processors."""
        with processors():
            values: list[Any] = self._session.run(list(outputs) or None, dict(inputs))
        return values


def _tensor(value: Any) -> Tensor:
    shape = tuple(side if isinstance(side, int) else None for side in value.shape)
    return Tensor(value.name, shape, value.type)
