"""Networks that are converted when they are fetched calculate what their sources do."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from imaginem.assets.convert.centernet import convert_graph
from imaginem.assets.convert.fewer_values import with_fewer_values
from imaginem.assets.convert.text_detection import to_onnx
from imaginem.errors import ConfigurationError

Array = NDArray[np.float32]

_KERNEL = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3) / 9
_CHANNELS = 3


def answer(content: bytes, **inputs: Array) -> Array:
    """Return the only output of a network."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (output,) = session.run(None, inputs)
    return np.asarray(output)


def numbers(*shape: int) -> Array:
    return np.random.default_rng(7).standard_normal(shape, np.float32)


def node(name: str, kind: str, *inputs: str, **attributes: Any) -> dict[str, Any]:
    return {"name": name, "op": kind, "input": list(inputs), "attr": attributes}


@pytest.fixture
def tensorflow_graph(tmp_path: Path) -> tuple[Path, Path]:
    """A photo convolved, limited, doubled, and put beside itself with channels last."""
    sides = [{"size": str(side)} for side in (1, 10, 10, _CHANNELS)]
    ones = {"list": {"i": ["1", "1", "1", "1"]}}
    nodes = [
        node("photo", "Placeholder", shape={"shape": {"dim": sides}}),
        *(node(name, "Const") for name in ("kernel", "two", "axis", "axes", "sides")),
        node("convolved", "Conv2D", "photo", "kernel", strides=ones, padding={"s": "VkFMSUQ="}),
        node("limited", "Relu6", "convolved"),
        node("doubled", "Mul", "limited", "two"),
        node("mean", "Mean", "limited", "axes", keep_dims={"b": True}),
        node("added", "Add", "doubled", "mean"),
        node("both", "ConcatV2", "limited", "added", "axis"),
        node("tower_0/detections", "Reshape", "both", "sides"),
    ]
    constants: dict[str, NDArray[Any]] = {
        "kernel": _KERNEL,
        "two": np.array(2, np.float32),
        "axis": np.array(3, np.int32),
        "axes": np.array([1, 2], np.int32),
        "sides": np.array([1, 100, 6], np.int32),
    }
    entries = [
        {"name": name, "shape": list(value.shape), "dtype": value.dtype.name}
        for name, value in constants.items()
    ]
    model, weights = tmp_path / "graph.json", tmp_path / "graph.bin"
    described = {
        "modelTopology": {"node": nodes},
        "weightsManifest": [{"weights": entries}],
    }
    model.write_text(json.dumps(described))
    weights.write_bytes(b"".join(value.tobytes() for value in constants.values()))
    return model, weights


def test_a_tensorflow_graph_gives_the_same_numbers(tensorflow_graph: tuple[Path, Path]) -> None:
    photo = numbers(1, 10, 10, _CHANNELS) * 4

    limited = np.clip(photo @ _KERNEL[0, 0], 0, 6)
    added = limited * 2 + limited.mean((1, 2), keepdims=True)
    wanted = np.concatenate([limited, added], 3).reshape(1, 100, 6)
    assert np.allclose(answer(convert_graph(*tensorflow_graph), photo=photo), wanted, atol=1e-5)


def test_channels_stay_first_until_an_operator_needs_them_last(
    tensorflow_graph: tuple[Path, Path],
) -> None:
    network = onnx.load_from_string(convert_graph(*tensorflow_graph))

    assert Counter(node.op_type for node in network.graph.node)["Transpose"] == 2


def detection_network(path: Path, last: str = "Sigmoid") -> Path:
    """Write a network that ends as PP-OCR's text detection does."""
    constants = {
        "first": numbers(_CHANNELS, 5, 2, 2),
        "bias": numbers(1, 5, 1, 1),
        "second": numbers(5, 1, 2, 2),
        "last_bias": numbers(1, 1, 1, 1),
    }
    twice: dict[str, Any] = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [
        helper.make_node("Relu", ["x"], ["begun"]),
        helper.make_node("Identity", ["begun"], ["passed"]),
        helper.make_node("ConvTranspose", ["passed", "first"], ["larger"], **twice),
        helper.make_node("Add", ["larger", "bias"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["bent"]),
        helper.make_node("ConvTranspose", ["bent", "second"], ["largest"], **twice),
        helper.make_node("Add", ["largest", "last_bias"], ["last_sum"]),
        helper.make_node(last, ["last_sum"], ["map"]),
    ]
    graph = helper.make_graph(
        nodes,
        "detection",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, _CHANNELS, "h", "w"])],
        [helper.make_tensor_value_info("map", TensorProto.FLOAT, [1, 1, "H", "W"])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8), path
    )
    return path


def test_text_detection_without_transposed_convolutions_gives_the_same_map(tmp_path: Path) -> None:
    path = detection_network(tmp_path / "detection.onnx")
    rewritten = to_onnx(path)

    kinds = {node.op_type for node in onnx.load_from_string(rewritten).graph.node}
    assert kinds == {"Relu", "Conv", "Sigmoid", "DepthToSpace"}
    for height, width in ((4, 6), (7, 3)):
        x = numbers(1, _CHANNELS, height, width)
        wanted = answer(path.read_bytes(), x=x)
        assert wanted.shape == (1, 1, 4 * height, 4 * width)
        assert np.allclose(answer(rewritten, x=x), wanted, atol=1e-6)


def test_a_rewritten_network_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    path = detection_network(tmp_path / "detection.onnx")

    assert to_onnx(path) == to_onnx(path)


def test_text_detection_with_another_end_is_refused(tmp_path: Path) -> None:
    path = detection_network(tmp_path / "detection.onnx", last="Tanh")

    with pytest.raises(ConfigurationError, match="not the one expected"):
        to_onnx(path)


def body_network() -> onnx.ModelProto:
    """Return a network with what text detection has in its body: halves, gates and four levels."""
    constants = {
        "half_weights": numbers(4, 2 * _CHANNELS, 3, 3),
        "gate_weights": numbers(4, 4, 1, 1),
        "roi": np.zeros(0, np.float32),
        "level_weights": numbers(5, 16, 3, 3),
    }
    sizes = {"first": 8, "second": 4, "third": 2}
    nodes = [
        helper.make_node("Relu", ["x"], ["bent"]),
        helper.make_node("Concat", ["x", "bent"], ["both"], axis=1),
        helper.make_node("Conv", ["both", "half_weights"], ["halves"], pads=[1, 1, 1, 1]),
        helper.make_node("GlobalAveragePool", ["halves"], ["mean"]),
        helper.make_node("Conv", ["mean", "gate_weights"], ["gate_sum"]),
        helper.make_node("HardSigmoid", ["gate_sum"], ["gate"]),
        helper.make_node("Mul", ["halves", "gate"], ["product"]),
        helper.make_node("Add", ["halves", "product"], ["fourth"]),
    ]
    nearest = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    for name, size in sizes.items():
        constants[f"{name}_scales"] = np.array([1, 1, size, size], np.float32)
        pooled: dict[str, Any] = {"kernel_shape": [size, size], "strides": [size, size]}
        resized = ["roi", f"{name}_scales"]
        nodes += [
            helper.make_node("MaxPool", ["fourth"], [f"{name}_small"], **pooled),
            helper.make_node("Resize", [f"{name}_small", *resized], [name], **nearest),
        ]
    nodes += [
        helper.make_node("Concat", [*sizes, "fourth"], ["levels"], axis=1),
        helper.make_node("Conv", ["levels", "level_weights"], ["map"], pads=[1, 1, 1, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "body",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, _CHANNELS, "h", "w"])],
        [helper.make_tensor_value_info("map", TensorProto.FLOAT, [1, 5, "h", "w"])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)


def test_text_detection_with_fewer_large_values_gives_the_same_map() -> None:
    model = body_network()
    x = numbers(1, _CHANNELS, 16, 24)
    wanted = answer(model.SerializeToString(), x=x)

    with_fewer_values(model.graph)

    # No picture is laid beside another, but for the levels before they are enlarged.
    kinds = Counter(node.op_type for node in model.graph.node)
    assert (kinds["Concat"], kinds["Resize"], kinds["Slice"]) == (1, 2, 1)
    gate = next(node for node in model.graph.node if "gate" in node.input)
    assert gate.op_type == "Add"
    assert np.allclose(answer(model.SerializeToString(), x=x), wanted, atol=1e-4)
