"""Networks with PReLU, written in operators that onnxruntime does quickly."""

import platform
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

_NAME = b"PRelu"
_BLOCKED = ("x86_64", "AMD64")
"""Processors for which onnxruntime keeps channels in blocks, as `platform.machine` names them."""


def without_prelus(path: Path) -> bytes | None:
    """Return a network whose PReLUs after convolutions are convolutions too.

    onnxruntime calculates convolutions in blocks of channels, and PReLU (He et al. 2015) value by
    value outside of them: that was half of what networks of faces took. PReLU(x) is Relu(x) less
    slope times Relu(-x), and a factor for each channel is a convolution of one by one pixel. One
    of the two terms is always 0 and a factor of -1 rounds nothing, so answers are the same to the
    last bit.

    Args:
        path: the ONNX file.

    Returns:
        The content of an ONNX file; None if this network had better stay as it is.
    """
    if platform.machine() not in _BLOCKED or _NAME not in path.read_bytes():
        return None
    try:
        import onnx
    except ImportError:
        return None
    network = onnx.load(path, load_external_data=False)
    graph = network.graph
    if any(tensor.data_location == tensor.EXTERNAL for tensor in graph.initializer):
        return None  # its weights lie in other files, which are found only from the file itself
    nodes = _Nodes(graph).rewritten()
    del graph.node[:]
    graph.node.extend(nodes)
    content: bytes = network.SerializeToString()
    return content


class _Nodes:
    """The nodes of a graph, in which weights are added to the graph."""

    def __init__(self, graph: "onnx.GraphProto") -> None:
        self._graph = graph
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        self._makers = {output: node for node in graph.node for output in node.output}

    def rewritten(self) -> "list[onnx.NodeProto]":
        """Return copies of the nodes, or what stands for them."""
        nodes: list[onnx.NodeProto] = []
        for node in list(self._graph.node):
            copy = type(node)()
            copy.CopyFrom(node)
            slopes = self._slopes(node) if node.op_type == "PRelu" else None
            nodes += [copy] if slopes is None else self._terms(node, slopes)
        return nodes

    def _slopes(self, node: "onnx.NodeProto") -> "NDArray[np.float32] | None":
        """Return the slope of each channel; None unless it is a PReLU of a 2-D convolution."""
        from onnx import numpy_helper

        maker = self._makers.get(node.input[0])
        if maker is None or maker.op_type != "Conv":
            return None
        weights, slopes = self._weights.get(maker.input[1]), self._weights.get(node.input[1])
        if weights is None or slopes is None or slopes.data_type != slopes.FLOAT:
            return None
        channels = weights.dims[0]
        if len(weights.dims) != 4 or list(slopes.dims)[-3:] != [channels, 1, 1]:
            return None
        values = numpy_helper.to_array(slopes).reshape(-1)
        return values if len(values) == channels else None

    def _terms(
        self, node: "onnx.NodeProto", slopes: "NDArray[np.float32]"
    ) -> "list[onnx.NodeProto]":
        from onnx import helper

        value, output = node.input[0], node.output[0]
        positive, turned, negative, bent = (
            f"{output}/{part}" for part in ("positive", "turned", "negative", "bent")
        )
        return [
            helper.make_node("Relu", [value], [positive]),
            self._factors(value, turned, -np.ones_like(slopes)),
            helper.make_node("Relu", [turned], [negative]),
            self._factors(negative, bent, -slopes),
            helper.make_node("Add", [bent, positive], [output]),
        ]

    def _factors(self, value: str, output: str, factors: "NDArray[np.float32]") -> "onnx.NodeProto":
        """Return a node that multiplies each channel."""
        from onnx import helper, numpy_helper

        weights = f"{output}/factors"
        tensor = numpy_helper.from_array(factors.reshape(-1, 1, 1, 1), weights)
        self._graph.initializer.append(tensor)
        return helper.make_node(
            "Conv", [value, weights], [output], group=len(factors), kernel_shape=[1, 1]
        )
