"""YuNet for pictures of any size: its file says 640 x 640, which nothing in it depends on."""

from pathlib import Path

import onnx


def of_any_size(path: Path) -> bytes:
    """Return the network with an input of 1 x 3 x height x width, both multiples of 32.

    Args:
        path: the ONNX file, for 640 x 640.
    """
    model = onnx.load(path)
    graph = model.graph
    del graph.value_info[:]  # sizes of what lies between, which runtimes find themselves
    for number, name in ((2, "height"), (3, "width")):
        graph.input[0].type.tensor_type.shape.dim[number].dim_param = name
    for output in graph.output:
        output.type.tensor_type.shape.dim[1].dim_param = f"places of {output.name}"
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))
