"""Convert CenterNet from a TensorFlow.js graph model to ONNX; other operators are refused.

TensorFlow has channels last and ONNX convolves with channels first. So values stay with channels
first where they can, and are transposed where an operator needs the channels last: two transposes
around each convolution took OpenVINO as long as the convolutions.
"""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from pydantic_core import from_json

from imaginem.assets.convert.graph import GraphBuilder
from imaginem.assets.convert.tensorflow_weights import read_weights
from imaginem.errors import ConfigurationError

_OUTPUT = "tower_0/detections"
_CASTS = {"DT_FLOAT": TensorProto.FLOAT, 1: TensorProto.FLOAT} | {
    "DT_INT32": TensorProto.INT32,
    3: TensorProto.INT32,
}
_PADDING = {"SAME": "SAME_UPPER", "VALID": "VALID"}
# Div and Mod are enough for FloorDiv and FloorMod: no number in this graph is negative.
_BINARY = {"Add": "Add", "AddV2": "Add", "Sub": "Sub", "Mul": "Mul", "Equal": "Equal"} | {
    "FloorDiv": "Div",
    "FloorMod": "Mod",
}
_CONVOLUTIONS = ("_FusedConv2D", "Conv2D", "DepthwiseConv2dNative", "FusedDepthwiseConv2dNative")
_TO_THE_END = 2**31 - 1
_AXES_FIRST = (0, 2, 3, 1)
"""Where the axes of channels last are with channels first."""

Node = dict[str, Any]


def convert_graph(model: Path, weights: Path) -> bytes:
    """Return the network as ONNX: RGB 0-255, 1x512x512x3, to `detections` 1x100x6.

    Raises:
        ConfigurationError: the weights don't fit the model, or an operator is not supported.
    """
    raw = from_json(model.read_bytes())
    values = read_weights(raw["weightsManifest"], weights.read_bytes())
    return _Converter(raw["modelTopology"]["node"], values).convert()


def _integers(attribute: dict[str, Any]) -> list[int]:
    return [int(value) for value in attribute.get("list", {}).get("i", [])]


def _text(attribute: dict[str, Any]) -> str:
    return base64.b64decode(attribute["s"]).decode()


def _flag(attributes: dict[str, Any], name: str) -> bool:
    return bool(attributes.get(name, {}).get("b"))


class _Converter:
    """Converts the nodes one by one, from the inputs to the detections."""

    def __init__(self, nodes: list[Node], weights: dict[str, NDArray[Any]]) -> None:
        self._nodes = {node["name"]: node for node in nodes}
        self._weights = weights
        self._graph = GraphBuilder()
        self._names: dict[str, str] = {}
        self._first: set[str] = set()  # the ONNX names of values with channels first
        self._transposed: dict[str, str] = {}  # the same values with channels last
        self._inputs: dict[str, list[int]] = {}
        self._makers: dict[str, Callable[[Node], str]] = {
            "Const": self._const,
            "Placeholder": self._placeholder,
            "Identity": lambda node: self._as_it_is(node["input"][0]),
            "MaxPool": self._max_pool,
            "Mean": self._mean,
            "Reshape": self._reshape,
            "ExpandDims": self._expand,
            "ConcatV2": self._concat,
            "GatherV2": self._gather,
            "Cast": self._cast,
            "TopKV2": self._top_k,
            "ResizeBilinear": self._resize,
            "StridedSlice": self._slice,
        }
        self._makers |= dict.fromkeys(_CONVOLUTIONS, self._convolution)
        self._makers |= dict.fromkeys(_BINARY, self._binary)
        self._makers |= dict.fromkeys(("Relu6", "Relu", "Sigmoid"), self._activation)

    def convert(self) -> bytes:
        """Return the finished model."""
        for name in self._order():
            node = self._nodes[name]
            if node["op"] not in self._makers:
                raise ConfigurationError(f"the operator {node['op']} can't be converted")
            self._names[name] = self._makers[node["op"]](node)
        self._graph.name_output(self._ref(_OUTPUT), "detections")
        return self._graph.finish("centernet", self._inputs, {"detections": [1, 100, 6]}, opset=18)

    def _order(self) -> list[str]:
        """Return the nodes that the output depends on, each after its own inputs."""
        order: list[str] = []
        visited: set[str] = set()
        stack = [(_OUTPUT, False)]
        while stack:
            name, done = stack.pop()
            if done:
                order.append(name)
            elif name not in visited:
                visited.add(name)
                stack.append((name, True))
                inputs = self._nodes[name].get("input", [])
                stack += [(entry.lstrip("^").split(":")[0], False) for entry in reversed(inputs)]
        return order

    def _as_it_is(self, name: str) -> str:
        """Return the ONNX name of an input of a node, wherever its channels are."""
        base, _, port = name.lstrip("^").partition(":")
        return self._names[base if port in ("", "0") else f"{base}:{port}"]

    def _ref(self, name: str) -> str:
        """Return the ONNX name of an input of a node, as TensorFlow has it: with channels last."""
        x = self._as_it_is(name)
        if x not in self._first:
            return x
        if x not in self._transposed:
            self._transposed[x] = self._graph.add("Transpose", [x], perm=[0, 2, 3, 1])
        return self._transposed[x]

    def _channels_first(self, name: str) -> str:
        """Return the ONNX name of an input of a node with channels first."""
        x = self._as_it_is(name)
        return x if x in self._first else self._graph.add("Transpose", [x], perm=[0, 3, 1, 2])

    def _made_first(self, kind: str, operands: list[str], **attributes: Any) -> str:
        """Add an operator whose result has channels first."""
        y = self._graph.add(kind, operands, **attributes)
        self._first.add(y)
        return y

    def _made_alike(self, kind: str, operands: list[str], **attributes: Any) -> str:
        """Add an operator whose result has its channels where its first operand has them."""
        add = self._made_first if operands[0] in self._first else self._graph.add
        return add(kind, operands, **attributes)

    def _value(self, name: str) -> NDArray[Any]:
        """Return the value of an input that is a constant."""
        node = self._nodes[name.split(":")[0]]
        while node["op"] == "Identity":
            node = self._nodes[node["input"][0].split(":")[0]]
        return self._weights[node["name"]]

    def _const(self, node: Node) -> str:
        return self._graph.constant(self._weights[node["name"]], node["name"])

    def _placeholder(self, node: Node) -> str:
        shape = [int(side["size"]) for side in node["attr"]["shape"]["shape"]["dim"]]
        self._inputs[node["name"]] = [1, *shape[1:]]
        return str(node["name"])

    def _convolution(self, node: Node) -> str:
        attributes, inputs = node["attr"], node["input"]
        if "data_format" in attributes and _text(attributes["data_format"]) != "NHWC":
            raise ConfigurationError("only graphs with channels last can be converted")
        kernel = self._value(inputs[1])
        height, width, channels, out = kernel.shape
        groups = 1
        if "epthwise" in node["op"]:
            kernel = kernel.reshape(height, width, 1, channels * out)
            groups = int(channels)
        dilations = _integers(attributes["dilations"]) if "dilations" in attributes else [1] * 4
        listed = attributes.get("fused_ops", {}).get("list", {}).get("s", [])
        fused = [base64.b64decode(name).decode() for name in listed]
        operands = [
            self._channels_first(inputs[0]),
            self._graph.constant(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))),
        ]
        if "BiasAdd" in fused:
            operands.append(self._graph.constant(self._value(inputs[2])))
        y = self._made_first(
            "Conv",
            operands,
            strides=_integers(attributes["strides"])[1:3],
            dilations=dilations[1:3],
            group=groups,
            kernel_shape=[int(height), int(width)],
            auto_pad=_PADDING[_text(attributes["padding"])],
        )
        for name in fused:
            y = y if name == "BiasAdd" else self._activate(y, name)
        return y

    def _activate(self, x: str, name: str) -> str:
        operands = [x]
        if name == "Relu6":
            name = "Clip"
            operands += [self._graph.constant(np.float32(limit)) for limit in (0, 6)]
        return self._made_alike(name, operands)

    def _activation(self, node: Node) -> str:
        return self._activate(self._as_it_is(node["input"][0]), node["op"])

    def _binary(self, node: Node) -> str:
        kind, operands = _BINARY[node["op"]], [self._as_it_is(x) for x in node["input"][:2]]
        if self._first.intersection(operands) and all(map(self._suits_first, operands)):
            return self._made_first(kind, operands)
        return self._graph.add(kind, [self._ref(name) for name in node["input"][:2]])

    def _suits_first(self, x: str) -> bool:
        """Tell whether a value has channels first, or is a constant single number."""
        return x in self._first or (x in self._weights and self._weights[x].ndim == 0)

    def _max_pool(self, node: Node) -> str:
        return self._made_first(
            "MaxPool",
            [self._channels_first(node["input"][0])],
            kernel_shape=_integers(node["attr"]["ksize"])[1:3],
            strides=_integers(node["attr"]["strides"])[1:3],
            auto_pad=_PADDING[_text(node["attr"]["padding"])],
        )

    def _with_vector(self, kind: str, node: Node, **attributes: Any) -> str:
        """Add an operator whose second input is a constant vector of int64."""
        vector = np.atleast_1d(self._value(node["input"][1])).astype(np.int64)
        operands = [self._ref(node["input"][0]), self._graph.constant(vector)]
        return self._graph.add(kind, operands, **attributes)

    def _mean(self, node: Node) -> str:
        keeps = _flag(node["attr"], "keep_dims")
        x = self._as_it_is(node["input"][0])
        if x in self._first and keeps:
            axes = [_AXES_FIRST[axis] for axis in np.atleast_1d(self._value(node["input"][1]))]
            return self._made_first("ReduceMean", [x, self._graph.integers(*axes)])
        return self._with_vector("ReduceMean", node, keepdims=int(keeps))

    def _reshape(self, node: Node) -> str:
        return self._with_vector("Reshape", node)

    def _expand(self, node: Node) -> str:
        return self._with_vector("Unsqueeze", node)

    def _concat(self, node: Node) -> str:
        axis, names = int(self._value(node["input"][-1])), node["input"][:-1]
        parts = [self._as_it_is(name) for name in names]
        if self._first.issuperset(parts):
            return self._made_first("Concat", parts, axis=_AXES_FIRST[axis])
        return self._graph.add("Concat", [self._ref(name) for name in names], axis=axis)

    def _gather(self, node: Node) -> str:
        operands = [self._ref(name) for name in node["input"][:2]]
        return self._graph.add("Gather", operands, axis=int(self._value(node["input"][2])))

    def _cast(self, node: Node) -> str:
        target = _CASTS[node["attr"]["DstT"]["type"]]
        return self._made_alike("Cast", [self._as_it_is(node["input"][0])], to=target)

    def _top_k(self, node: Node) -> str:
        count = int(np.atleast_1d(self._value(node["input"][1]))[0])
        operands = [self._ref(node["input"][0]), self._graph.integers(count)]
        scores, indices = self._graph.add_many("TopK", operands, 2, axis=-1)
        self._names[f"{node['name']}:1"] = self._graph.add("Cast", [indices], to=TensorProto.INT32)
        return scores

    def _resize(self, node: Node) -> str:
        mode = "half_pixel" if _flag(node["attr"], "half_pixel_centers") else "asymmetric"
        if _flag(node["attr"], "align_corners"):
            mode = "align_corners"
        x = self._channels_first(node["input"][0])
        bounds = [self._graph.integers(0), self._graph.integers(2)]
        first_two = self._graph.add("Slice", [self._graph.add("Shape", [x]), *bounds])
        size = self._graph.constant(self._value(node["input"][1]).astype(np.int64))
        shape = self._graph.add("Concat", [first_two, size], axis=0)
        return self._made_first(
            "Resize", [x, "", "", shape], mode="linear", coordinate_transformation_mode=mode
        )

    def _slice(self, node: Node) -> str:
        def mask(name: str) -> int:
            return int(node["attr"].get(f"{name}_mask", {}).get("i", 0))

        if mask("new_axis") or mask("ellipsis"):
            raise ConfigurationError("a slice with a new axis or an ellipsis can't be converted")
        begins, ends, strides = (
            [int(value) for value in self._value(name)] for name in node["input"][1:4]
        )
        shrunk = [axis for axis in range(len(begins)) if mask("shrink_axis") >> axis & 1]
        for axis in range(len(begins)):
            begins[axis] = 0 if mask("begin") >> axis & 1 else begins[axis]
            ends[axis] = _TO_THE_END if mask("end") >> axis & 1 else ends[axis]
            if axis in shrunk:
                ends[axis] = begins[axis] + 1 if begins[axis] != -1 else _TO_THE_END
        operands = [self._ref(node["input"][0]), self._graph.integers(*begins)]
        operands += [self._graph.integers(*ends), self._graph.integers(*range(len(begins)))]
        y = self._graph.add("Slice", [*operands, self._graph.integers(*strides)])
        return self._graph.add("Squeeze", [y, self._graph.integers(*shrunk)]) if shrunk else y
