"""ONNX models, opened on first use and once per process, on the runtime that suits each."""

import os
import threading
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from imaginem.config.worker_processes import worker_processes
from imaginem.engines.local.runtimes import on_onnxruntime, on_openvino
from imaginem.engines.local.runtimes.choices import Choice, choose
from imaginem.engines.local.runtimes.session import Session, Unusable
from imaginem.errors import ConfigurationError, ImaginemError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from imaginem.assets import AssetStore

RuntimeSetting = Literal["auto", "onnxruntime", "openvino"]
"""The values of LOCAL_RUNTIME."""
_COMPILED = "compiled"  # the folder of compiled networks, in that of assets


def runs_at_once(processors: int, processes: int) -> int:
    """Return how many networks a process may run at a time: each run takes one processor.

    More runs than processors take turns on them, push each other out of their caches and need
    their memory all at once.

    Args:
        processors: that this process may use.
        processes: workers that share them.
    """
    return max(1, processors // processes)


@cache
def processors() -> threading.Semaphore:
    """Return the process's semaphore, which each run of a network holds, and each of Tesseract."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    runs = runs_at_once(count or os.cpu_count() or 1, worker_processes())
    return threading.BoundedSemaphore(runs)


def shared_model(
    store: "AssetStore", name: str, runtime: RuntimeSetting, path: "Path | None" = None
) -> "Model":
    """Return the model of a network; a process has only one.

    Args:
        store: has the weights, and the folder of compiled networks.
        name: of the network, as the manifest names it.
        runtime: the setting LOCAL_RUNTIME.
        path: of the ONNX file, if it is a user's own and not in the manifest.
    """
    return opened_once(path or store.path(name), name, runtime, store.folder / _COMPILED)


def check_runtime(runtime: RuntimeSetting) -> None:
    """Check that the runtime that LOCAL_RUNTIME demands can be used, without opening a network.

    Raises:
        ConfigurationError: it is OpenVINO, which is not installed or does not load here.
    """
    if runtime != "openvino":
        return
    try:
        on_openvino.processor()
    except Unusable as problem:
        raise _without_openvino(problem) from None


def _without_openvino(problem: Unusable) -> ConfigurationError:
    return ConfigurationError(
        f"LOCAL_RUNTIME is openvino, which can't be used ({problem}): `pip install "
        "-r requirements-local.txt`, or set LOCAL_RUNTIME to auto"
    )


class Model:
    """A network; it is opened for the first run and shared by all threads.

    Args:
        path: the ONNX file.
        name: of the network, as the table of choices names it.
        runtime: the setting LOCAL_RUNTIME.
        compiled: folder where compiled networks are kept.
    """

    def __init__(self, path: "Path", name: str, runtime: RuntimeSetting, compiled: "Path") -> None:
        self._path, self._name, self._compiled = path, name, compiled
        self._runtime = runtime
        self._session: Session | None = None
        self._lock = threading.Lock()

    @property
    def inputs(self) -> list[str]:
        """The names of the inputs, in the network's order."""
        return self._open().inputs

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs, in the network's order."""
        return self._open().outputs

    @property
    def metadata(self) -> Mapping[str, str]:
        """The texts that the network's makers put into its file."""
        return self._open().metadata

    def run(self, inputs: "dict[str, NDArray[Any]]", *outputs: str) -> "list[NDArray[np.float32]]":
        """Return the named outputs, or all of them in the model's order.

        Raises:
            ConfigurationError: the runtime that is needed is not installed.
        """
        session = self._open()
        with processors():
            return session.run(inputs, outputs)

    def _open(self) -> Session:
        with self._lock:
            if self._session is None:
                try:
                    self._session = self._opened()
                except (ImaginemError, OSError, MemoryError):
                    raise
                except Exception as problem:  # each runtime has its own; no photo is to blame
                    raise ConfigurationError(
                        f"{self._name} can't be opened ({type(problem).__name__}): delete "
                        f"{self._path} and run `imaginem assets fetch`"
                    ) from problem
            return self._session

    def _opened(self) -> Session:
        if self._runtime != "onnxruntime":
            try:
                choice = self._choice()
                if choice.runtime == "openvino":
                    return on_openvino.open_network(self._path, choice.precision, self._compiled)
            except Unusable as problem:
                if self._runtime == "openvino":
                    raise _without_openvino(problem) from None
        try:
            return on_onnxruntime.open_network(self._path)
        except Unusable:
            raise ConfigurationError(
                "the local engine needs onnxruntime: `pip install -r "
                "requirements-local.txt`, or choose another engine"
            ) from None

    def _choice(self) -> Choice:
        choice = choose(self._name, on_openvino.processor())
        if self._runtime == "openvino" and choice.runtime != "openvino":
            return Choice("openvino")
        return choice


@cache
def opened_once(path: "Path", name: str, runtime: RuntimeSetting, compiled: "Path") -> Model:
    """Return the model of a file: the same one each time."""
    return Model(path, name, runtime, compiled)
