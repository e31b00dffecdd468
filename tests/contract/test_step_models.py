"""The models that steps bring: in memory and on this machine alike."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imaginem import Weights
from imaginem.engines.onnx import OwnModels
from imaginem.errors import ConfigurationError
from imaginem.ports import Models
from imaginem.testing import MemoryModels, MemoryServices, job_for
from tests.tiny_networks import mean_colours

NO_ONE_HAS = Weights(url="https://example.org/other.onnx", sha256="00" * 32, licence="MIT")
RED = np.full((1, 3, 4, 4), [[[[1]], [[0]], [[0]]]], np.float32)


class _Means:
    """What the file has, without onnxruntime."""

    def __init__(self) -> None:
        self.inputs, self.outputs = ["picture"], ["means"]

    def run(self, inputs: Mapping[str, Any], *outputs: str) -> list[Any]:
        return [inputs["picture"].mean((2, 3))]


def _later(seconds: float, act: Callable[[], None]) -> None:
    """Let nothing go."""


@pytest.fixture
def weights(tmp_path: Path) -> Weights:
    path = tmp_path / "colours.onnx"
    return Weights(file=str(path), sha256=mean_colours(path), licence="CC0")


@pytest.fixture(params=["memory", "here"])
def models(request: pytest.FixtureRequest, weights: Weights, tmp_path: Path) -> Models:
    if request.param == "here":
        return OwnModels(tmp_path, _later)
    path = {weights.sha256: Path(weights.file)}
    return MemoryModels(networks={weights.sha256: _Means()}, paths=path)


def test_a_step_gets_its_file_and_its_network(models: Models, weights: Weights) -> None:
    job = job_for(services=MemoryServices(models=models))

    assert job.weights(weights) == Path(weights.file)
    (means,) = job.model(weights).run({"picture": RED}, "means")
    assert means.tolist() == [[1, 0, 0]]
    assert (job.model(weights).inputs, job.model(weights).outputs) == (["picture"], ["means"])


def test_every_job_gets_the_same_network(models: Models, weights: Weights) -> None:
    assert models.network("one", weights) is models.network("other", weights)


@pytest.mark.parametrize("ask", ["path", "network"])
def test_a_file_that_was_not_fetched_names_the_step_and_the_command(
    models: Models, ask: str
) -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"the step tents: https://example.org/other.onnx is missing: run `imaginem assets f",
    ):
        getattr(models, ask)("tents", NO_ONE_HAS)
