"""ONNX networks of a few operators, whose answers are known."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper


def mean_colours(
    path: Path, *, side: int = 4, layout: str = "NCHW", type_: int = TensorProto.FLOAT
) -> str:
    """Write a classifier with a number for each channel: its mean. Return the file's sha256."""
    shape = [1, 3, side, side] if layout == "NCHW" else [1, side, side, 3]
    axes = [2, 3] if layout == "NCHW" else [1, 2]
    cast = helper.make_node("Cast", ["picture"], ["numbers"], to=TensorProto.FLOAT)
    mean = helper.make_node("ReduceMean", ["numbers"], ["means"], axes=axes, keepdims=0)
    picture = helper.make_tensor_value_info("picture", type_, shape)
    means = helper.make_tensor_value_info("means", TensorProto.FLOAT, [1, 3])
    return _write(path, [cast, mean], [picture], [means], {"names": "red\ngreen\nblue"})


def always(path: Path, answers: Mapping[str, Sequence[object]], *, width: int = 10) -> str:
    """Write a detector that answers each picture with these tensors. Return the file's sha256."""
    nodes, values = [], []
    for name, numbers in answers.items():
        tensor = numpy_helper.from_array(np.array(numbers, np.float32), name)
        nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        values.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, tensor.dims))
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, 10, width])
    return _write(path, nodes, [picture], values, {})


def _write(
    path: Path,
    nodes: Sequence[NodeProto],
    inputs: Sequence[ValueInfoProto],
    outputs: Sequence[ValueInfoProto],
    metadata: Mapping[str, str],
) -> str:
    graph = helper.make_graph(nodes, "tiny", inputs, outputs)
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=9)
    helper.set_model_props(network, dict(metadata))
    onnx.save(network, path)
    return hashlib.sha256(path.read_bytes()).hexdigest()
