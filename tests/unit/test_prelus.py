"""Networks with PReLU give the same answers in operators that onnxruntime does quickly."""

import platform
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from imaginem.engines.local.runtimes.prelus import without_prelus

CHANNELS = 10
PHOTO = np.random.default_rng(7).normal(size=(2, 3, 9, 11)).astype(np.float32)
SLOPES = np.linspace(-1.3, 1.2, CHANNELS, dtype=np.float32).reshape(CHANNELS, 1, 1)
pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="elsewhere networks stay as they are"
)


def written(path: Path, slopes: np.ndarray, *, maker: str = "Conv", outside: bool = False) -> Path:
    """Write a network of a convolution, perhaps another operator, and a PReLU."""
    filters = np.random.default_rng(8).normal(size=(CHANNELS, 3, 3, 3)).astype(np.float32)
    weights = [numpy_helper.from_array(filters, "filters"), numpy_helper.from_array(slopes, "bend")]
    conv = helper.make_node("Conv", ["photo", "filters"], ["sums"])
    other = [] if maker == "Conv" else [helper.make_node(maker, ["sums"], ["other"])]
    bent = helper.make_node("PRelu", ["other" if other else "sums", "bend"], ["bent"])
    graph = helper.make_graph(
        [conv, *other, bent],
        "bent",
        [helper.make_tensor_value_info("photo", TensorProto.FLOAT, [2, 3, 9, 11])],
        [helper.make_tensor_value_info("bent", TensorProto.FLOAT, None)],
        weights,
    )
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(network, path, save_as_external_data=outside, size_threshold=0)
    return path


def answer(network: str | bytes) -> np.ndarray:
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    values: np.ndarray = session.run(None, {"photo": PHOTO})[0]
    return values


def operators(network: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(network).graph.node]


@pytest.mark.parametrize("shape", [(CHANNELS, 1, 1), (1, CHANNELS, 1, 1)])
def test_answers_are_the_same_to_the_last_bit(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = written(tmp_path / "bent.onnx", SLOPES.reshape(shape))

    quick = without_prelus(path)

    assert quick is not None
    assert "PRelu" not in operators(quick)
    assert np.array_equal(answer(quick), answer(str(path)))


@pytest.mark.parametrize(
    ("slopes", "maker"),
    [(SLOPES[:1], "Conv"), (np.full(9, 0.1, np.float32), "Conv"), (SLOPES, "Tanh")],
    ids=["one slope for all channels", "a slope a column", "not after a convolution"],
)
def test_another_prelu_stays(tmp_path: Path, slopes: np.ndarray, maker: str) -> None:
    path = written(tmp_path / "bent.onnx", slopes, maker=maker)

    quick = without_prelus(path)

    assert quick is not None
    assert "PRelu" in operators(quick)
    assert np.array_equal(answer(quick), answer(str(path)))


def test_a_network_whose_weights_lie_in_other_files_stays_as_it_is(tmp_path: Path) -> None:
    path = written(tmp_path / "bent.onnx", SLOPES, outside=True)

    assert without_prelus(path) is None
    assert answer(str(path)).shape[1] == CHANNELS


def test_a_network_without_prelu_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "plain.onnx"
    path.write_bytes(b"no such operator")

    assert without_prelus(path) is None
