"""Build an ONNX graph node by node, with the same names, and so the same bytes, every time."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

_TYPES = {
    "float32": TensorProto.FLOAT,
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
    "bool": TensorProto.BOOL,
}


class GraphBuilder:
    """Collects nodes and constants; `finish` returns the file."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self._constants: dict[str, NDArray[Any]] = {}
        self._count = 0

    def _next(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}_{self._count}"

    def constant(self, value: Any, name: str | None = None) -> str:
        """Add a constant and return its name."""
        name = name or self._next("constant")
        self._constants[name] = np.asarray(value)
        return name

    def integers(self, *values: int) -> str:
        """Add a constant vector of int64 and return its name."""
        return self.constant(np.array(values, np.int64))

    def add(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        return self.add_many(kind, inputs, 1, **attributes)[0]

    def add_many(self, kind: str, inputs: list[str], outputs: int, **attributes: Any) -> list[str]:
        """Add a node with several outputs and return their names."""
        base = self._next(kind)
        names = [base] if outputs == 1 else [f"{base}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names

    def name_output(self, value: str, name: str) -> None:
        """Make a value an output of the model, under this name."""
        self.nodes.append(helper.make_node("Identity", [value], [name]))

    def finish(
        self,
        name: str,
        inputs: dict[str, list[int]],
        outputs: dict[str, list[int]],
        opset: int,
    ) -> bytes:
        """Return the checked model as bytes.

        Args:
            name: of the graph.
            inputs: shapes of the float inputs, by name.
            outputs: shapes of the float outputs, by name.
            opset: version of the ONNX operators.
        """
        used = {value for node in self.nodes for value in node.input}
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
            [_tensor(value, n) for n, value in self._constants.items() if n in used],
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", opset)],
            ir_version=8,
            producer_name="imaginem",
            producer_version="",
        )
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))


def _tensor(value: NDArray[Any], name: str) -> Any:
    tensor = onnx.TensorProto()
    tensor.name = name
    tensor.dims.extend(value.shape)
    tensor.data_type = _TYPES[value.dtype.name]
    little_endian = value.astype(value.dtype.newbyteorder("<"))
    tensor.raw_data = np.ascontiguousarray(little_endian).tobytes()
    return tensor
