"""Which runtime a network gets, and the compiled networks that are kept on disk."""

import os
import time
from pathlib import Path

import pytest

from imaginem.assets.manifest import load_manifest
from imaginem.config.settings import read_settings
from imaginem.engines.local.runtimes.choices import (
    NETWORKS,
    Choice,
    Processor,
    choose,
)
from imaginem.engines.local.runtimes.compiled import CompiledCache, CompiledNetwork
from imaginem.errors import ConfigurationError

COMPILED = CompiledNetwork(b"code of a processor" * 100, {"character": "a\nb"})


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "reader-1.onnx"
    path.write_bytes(b"weights")
    return path


def test_every_network_of_the_manifest_has_figures() -> None:
    networks = {name for name in load_manifest().assets if name.endswith(".onnx")}

    assert networks == set(NETWORKS)


@pytest.mark.parametrize("processor", Processor)
def test_embeddings_are_f32_on_every_processor(processor: Processor) -> None:
    assert choose("face-embedding-512.onnx", processor).precision == "f32"


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("processor", [Processor.AVX512, Processor.PLAIN, Processor.OTHER])
def test_bf16_is_for_processors_that_have_it(network: str, processor: Processor) -> None:
    assert choose(network, processor).precision == "f32"


@pytest.mark.parametrize("processor", Processor)
def test_a_network_that_nobody_measured_runs_on_onnxruntime(processor: Processor) -> None:
    assert choose("of-a-user.onnx", processor) == Choice("onnxruntime")


def test_the_choice_follows_the_figures() -> None:
    locating, finding_faces = "ocr-detection.onnx", "yunet.onnx"

    assert choose(locating, Processor.AMX) == Choice("openvino", "bf16")
    assert choose(locating, Processor.BF16) == Choice("openvino", "bf16")
    assert choose(locating, Processor.AVX512) == Choice("openvino", "f32")
    assert choose(locating, Processor.PLAIN) == Choice("onnxruntime")  # it is as quick there
    assert choose(finding_faces, Processor.BF16) == Choice("onnxruntime")


@pytest.mark.parametrize("processor", Processor)
@pytest.mark.parametrize("network", ["ocr-recognition.onnx", "centernet.onnx", "yunet.onnx"])
def test_a_network_whose_answers_change_in_bf16_never_runs_in_it(
    network: str, processor: Processor
) -> None:
    assert choose(network, processor).precision == "f32"


def test_nothing_was_measured_on_other_processors() -> None:
    assert {choose(name, Processor.OTHER) for name in NETWORKS} == {Choice("onnxruntime")}


def test_what_was_compiled_is_read_again(tmp_path: Path, network: Path) -> None:
    CompiledCache(tmp_path / "compiled", "1.0, this processor").write(network, COMPILED)

    assert CompiledCache(tmp_path / "compiled", "1.0, this processor").read(network) == COMPILED


def test_another_version_or_processor_does_not_get_it(tmp_path: Path, network: Path) -> None:
    CompiledCache(tmp_path, "1.0, this processor").write(network, COMPILED)

    assert CompiledCache(tmp_path, "1.1, this processor").read(network) is None


def test_other_weights_of_the_same_name_do_not_get_it(tmp_path: Path, network: Path) -> None:
    cache = CompiledCache(tmp_path, "1.0")
    cache.write(network, COMPILED)
    network.write_bytes(b"others!")

    assert cache.read(network) is None


@pytest.mark.parametrize("damage", [b"", b"x", COMPILED.encode()[:-1], COMPILED.encode() + b"x"])
def test_a_damaged_file_counts_as_none(tmp_path: Path, network: Path, damage: bytes) -> None:
    cache = CompiledCache(tmp_path, "1.0")
    cache.write(network, COMPILED)
    next(tmp_path.glob("*.compiled")).write_bytes(damage)

    assert cache.read(network) is None


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path, network: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = CompiledCache(tmp_path / "file" / "compiled", "1.0")

    cache.write(network, COMPILED)

    assert cache.read(network) is None


def test_old_versions_go(tmp_path: Path, network: Path) -> None:
    for version in range(9):
        CompiledCache(tmp_path, f"1.{version}").write(network, COMPILED)

    assert len(list(tmp_path.glob("*.compiled"))) == 4
    assert CompiledCache(tmp_path, "1.8").read(network) == COMPILED
    assert not list(tmp_path.glob("*.part"))


def test_what_a_killed_process_left_half_written_goes_after_an_hour(
    tmp_path: Path, network: Path
) -> None:
    abandoned, at_work = tmp_path / "abandoned.part", tmp_path / "at-work.part"
    for file, minutes in ((abandoned, 61), (at_work, 59)):
        file.write_bytes(b"half of a netw")
        os.utime(file, (time.time() - 60 * minutes,) * 2)

    CompiledCache(tmp_path, "1.0").write(network, COMPILED)

    assert list(tmp_path.glob("*.part")) == [at_work]


def test_the_setting_takes_three_words() -> None:
    assert read_settings({}).local_runtime == "auto"
    assert read_settings({"LOCAL_RUNTIME": "OpenVINO"}).local_runtime == "openvino"
    with pytest.raises(ConfigurationError, match=r"LOCAL_RUNTIME.*auto, onnxruntime or openvino"):
        read_settings({"LOCAL_RUNTIME": "tensorflow"})
