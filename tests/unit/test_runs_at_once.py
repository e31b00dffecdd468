"""A process runs as many networks at once as it has processors."""

import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from imaginem.config.worker_processes import worker_processes
from imaginem.engines.local.models import Model, processors, runs_at_once
from imaginem.engines.local.runtimes.session import Arrays, Session
from imaginem.engines.local.scripts import tesseract
from imaginem.engines.local.scripts.data import Data
from imaginem.engines.local.scripts.tesseract import Reading, Tesseract
from imaginem.host.environment import worker_environment
from tests.waiting import PATIENCE


class _Meeting(Session):
    """A network whose runs wait until so many are under way."""

    inputs: Sequence[str] = ()  # type: ignore[assignment]  # none of these is asked for
    outputs: Sequence[str] = ()  # type: ignore[assignment]
    metadata: Mapping[str, str] = {}

    def __init__(self, runs: int, seconds: float) -> None:
        self._all_here = threading.Barrier(runs, timeout=seconds)

    def run(self, inputs: Arrays, outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        self._all_here.wait()
        return []


class _Opened(Model):
    def __init__(self, session: Session) -> None:
        super().__init__(Path("x.onnx"), "x", "onnxruntime", Path())
        self._session = session


def _run_at_once(runs: int, seconds: float = PATIENCE) -> None:
    model = _Opened(_Meeting(runs, seconds))
    with ThreadPoolExecutor(runs) as pool:
        list(pool.map(lambda _: model.run({}), range(runs)))


@pytest.mark.parametrize(("count", "workers", "runs"), [(2, 2, 1), (4, 2, 2), (8, 1, 8), (1, 4, 1)])
def test_workers_share_the_processors(count: int, workers: int, runs: int) -> None:
    assert runs_at_once(count, workers) == runs


def test_a_network_waits_while_all_processors_run_others() -> None:
    count = len(os.sched_getaffinity(0))
    _run_at_once(count)
    with pytest.raises(threading.BrokenBarrierError):
        _run_at_once(count + 1, 0.3)


def test_tesseract_waits_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tesseract, "_open_model", lambda data: None)
    with ThreadPoolExecutor(1) as pool:
        with ExitStack() as all_taken:
            for _ in range(len(os.sched_getaffinity(0))):
                all_taken.enter_context(processors())
            read = pool.submit(Tesseract().read, np.zeros((9, 9)), Data(Path(), ("fas",)))
            with pytest.raises(TimeoutError):
                read.result(timeout=0.1)
        assert read.result(timeout=PATIENCE) == Reading("", 0.0)


def test_workers_are_told_how_many_they_are() -> None:
    environment = worker_environment({}, 3)

    assert environment["FUNCTIONS_WORKER_PROCESS_COUNT"] == "3"
    assert worker_processes(environment) == 3


@pytest.mark.parametrize("told", ["", "0", "-2", "two", "²"])
def test_a_worker_that_is_told_nothing_of_use_takes_itself_for_the_only_one(told: str) -> None:
    assert worker_processes({"FUNCTIONS_WORKER_PROCESS_COUNT": told}) == 1
    assert worker_processes({}) == 1
