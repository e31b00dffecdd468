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
    numbers: Sequence[TensorProto] = (),
) -> str:
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, numbers)
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=9)
    helper.set_model_props(network, dict(metadata))
    onnx.save(network, path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def with_data_beside(path: Path, *, hidden: bool) -> str:
    """Write a classifier whose numbers lie in `path` + `.data`. Return the sha256 of `path`.

    Args:
        path: of the ONNX file.
        hidden: the numbers are those of a constant in a branch, instead of the graph's own.
    """
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, 4, 4])
    means = helper.make_tensor_value_info("means", TensorProto.FLOAT, [1, 3])
    mean = helper.make_node("ReduceMean", ["picture"], ["plain"], axes=[2, 3], keepdims=0)
    factors = numpy_helper.from_array(np.ones((1, 3), np.float32), "factors")
    path.with_name(f"{path.name}.data").write_bytes(factors.raw_data)
    onnx.external_data_helper.set_external_data(factors, f"{path.name}.data")
    factors.ClearField("raw_data")
    if not hidden:
        times = helper.make_node("Mul", ["plain", "factors"], ["means"])
        return _write(path, [mean, times], [picture], [means], {}, [factors])
    constant = helper.make_node("Constant", [], ["branched"], value=factors)
    branched = helper.make_tensor_value_info("branched", TensorProto.FLOAT, [1, 3])
    branch = helper.make_graph([constant], "branch", [], [branched])
    true = numpy_helper.from_array(np.array(True), "true")
    choice = helper.make_node("If", ["true"], ["chosen"], then_branch=branch, else_branch=branch)
    times = helper.make_node("Mul", ["plain", "chosen"], ["means"])
    return _write(path, [mean, choice, times], [picture], [means], {}, [true])
