"""One suite over both runtimes of the local engine's networks."""

import logging
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from imaginem.cli.doctor import local_checks
from imaginem.config.settings import read_settings
from imaginem.engines.local import models
from imaginem.engines.local.models import Model, RuntimeSetting
from imaginem.engines.local.runtimes import on_openvino
from imaginem.engines.local.runtimes.compiled import CompiledNetwork
from imaginem.errors import ConfigurationError
from imaginem.images.decoding import decode_photo
from imaginem.outputs import Face, Rectangle
from imaginem.ports import CallContext
from imaginem.runtime import Runtime
from imaginem.testing import photo_bytes
from imaginem.usecases.health import examine

FACE = Face(face_rectangle=Rectangle(left=2, top=2, width=8, height=8))
RUNTIMES: tuple[RuntimeSetting, ...] = ("auto", "onnxruntime", "openvino")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a network that doubles a number and squares it."""
    path = tmp_path_factory.mktemp("networks") / "numbers.onnx"
    number = helper.make_tensor_value_info("number", TensorProto.FLOAT, ["count"])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["count"])
        for name in ("doubled", "squared")
    ]
    nodes = [
        helper.make_node("Add", ["number", "number"], ["doubled"]),
        helper.make_node("Mul", ["number", "number"], ["squared"]),
    ]
    graph = helper.make_graph(nodes, "numbers", [number], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"character": "a\nb"})
    onnx.save(model, path)
    return path


@pytest.fixture(params=RUNTIMES)
def model(request: pytest.FixtureRequest, network: Path, tmp_path: Path) -> Model:
    return Model(network, "numbers.onnx", request.param, tmp_path)


def numbers(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.float32)


def test_outputs_come_in_the_networks_order_or_by_name(model: Model) -> None:
    doubled, squared = model.run({"number": numbers(4)})
    (named,) = model.run({"number": numbers(4)}, "squared")

    assert doubled.tolist() == [0, 2, 4, 6]
    assert squared.tolist() == named.tolist() == [0, 1, 4, 9]


def test_names_and_texts_of_the_file_are_told(model: Model) -> None:
    assert (model.inputs, model.outputs) == (["number"], ["doubled", "squared"])
    assert model.metadata["character"] == "a\nb"


def test_inputs_may_have_another_size_each_time(model: Model) -> None:
    sizes = [len(model.run({"number": numbers(size)})[0]) for size in (3, 1, 7)]

    assert sizes == [3, 1, 7]


def test_an_answer_is_not_changed_by_the_next_run(model: Model) -> None:
    first = model.run({"number": numbers(3)})[0]
    model.run({"number": numbers(3) + 5})

    assert first.tolist() == [0, 2, 4]


def test_threads_do_not_mix_up_their_answers(model: Model) -> None:
    def wrong(start: int) -> int:
        asked = numbers(500) + start
        return sum(model.run({"number": asked})[0][0] != 2 * start for _ in range(50))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(wrong, range(4))) == 0


def test_a_compiled_network_is_kept_with_its_texts(network: Path, tmp_path: Path) -> None:
    for _ in range(2):
        model = Model(network, "numbers.onnx", "openvino", tmp_path)
        assert model.run({"number": numbers(2)})[0].tolist() == [0, 2]
        assert model.metadata["character"] == "a\nb"

    assert len(list(tmp_path.glob("numbers.*.compiled"))) == 1


@pytest.mark.parametrize("torn", [True, False], ids=["torn", "refused"])
def test_a_broken_compiled_network_is_compiled_anew(
    network: Path, tmp_path: Path, torn: bool, caplog: pytest.LogCaptureFixture
) -> None:
    Model(network, "numbers.onnx", "openvino", tmp_path).run({"number": numbers(2)})
    (kept,) = tmp_path.glob("numbers.*.compiled")
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-9] if torn else CompiledNetwork(whole[:-9], {}).encode())

    with caplog.at_level(logging.WARNING, "imaginem.engines.local"):
        answer = Model(network, "numbers.onnx", "openvino", tmp_path).run({"number": numbers(2)})

    assert answer[0].tolist() == [0, 2]
    assert kept.read_bytes() == whole
    assert "compiled anew" in caplog.text


@pytest.fixture
def no_openvino(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine for which OpenVINO has no wheel."""
    remembered = (on_openvino.openvino, on_openvino.processor, models.opened_once)
    monkeypatch.setitem(sys.modules, "openvino", None)
    for function in remembered:
        function.cache_clear()
    yield
    for function in remembered:
        function.cache_clear()


@pytest.mark.usefixtures("no_openvino")
def test_onnxruntime_serves_where_openvino_is_missing(network: Path, tmp_path: Path) -> None:
    model = Model(network, "ocr-detection.onnx", "auto", tmp_path)

    assert model.run({"number": numbers(2)})[0].tolist() == [0, 2]


@pytest.mark.usefixtures("no_openvino")
def test_openvino_by_order_says_that_it_is_missing(network: Path, tmp_path: Path) -> None:
    model = Model(network, "ocr-detection.onnx", "openvino", tmp_path)

    with pytest.raises(ConfigurationError, match=r"LOCAL_RUNTIME is openvino.*set LOCAL_RUNTIME"):
        model.run({"number": numbers(2)})


@pytest.mark.usefixtures("no_openvino")
def test_the_doctor_finds_that_openvino_by_order_is_missing(tmp_path: Path) -> None:
    home = {"IMAGINEM_HOME": str(tmp_path)}
    told = {}
    for setting in ("auto", "onnxruntime", "openvino"):
        settings = read_settings(home | {"LOCAL_RUNTIME": setting})
        checks = [each for each in local_checks(settings) if each.name == "runtime of networks"]
        told[setting] = [finding.problem for finding in examine(checks)]

    assert told["auto"] == told["onnxruntime"] == [""]
    assert "set LOCAL_RUNTIME to auto" in told["openvino"][0]


@pytest.mark.usefixtures("no_openvino")
@pytest.mark.parametrize(
    "ask",
    [
        lambda engines, photo, call: engines.vision.analyze(photo, call),
        lambda engines, photo, call: engines.ocr.read(photo, call),
        lambda engines, photo, call: engines.faces.detect(photo, call),
        lambda engines, photo, call: engines.recognizer.search(photo, [FACE], call),
    ],
    ids=["vision", "ocr", "faces", "recognizer"],
)
def test_every_local_engine_follows_the_setting(ask: Any, tmp_path: Path) -> None:
    asked = {"IMAGINEM_HOME": str(tmp_path), "LOCAL_RUNTIME": "openvino"}
    engines = Runtime(read_settings(asked))
    photo = decode_photo(photo_bytes())

    with pytest.raises(ConfigurationError, match="LOCAL_RUNTIME is openvino"):
        ask(engines, photo, CallContext.without_job("test"))
    engines.database.close()


def test_openvino_reports_to_nobody() -> None:
    on_openvino.openvino()

    kept_out = {name for name, module in sys.modules.items() if module is None}
    assert {"openvino_telemetry", "openvino.tools.ovc"} <= kept_out
