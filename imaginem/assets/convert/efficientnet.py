"""Convert EfficientNet-Lite0 from PyTorch's old pickle format to ONNX, without PyTorch."""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from imaginem.assets.convert.graph import GraphBuilder
from imaginem.errors import ConfigurationError

_MAGIC = 0x1950A86A20F9469CFC6C  # of torch.serialization, for the format before zip files
_STORAGES: dict[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype("<f4"),
    "LongStorage": np.dtype("<i8"),
}
# Tan & Le 2019, table 1, in the "lite" variant: blocks of each stage, and their first stride.
_BLOCKS = (1, 2, 2, 3, 3, 4, 1)
_STRIDES = (1, 2, 2, 2, 1, 2, 1)
_EPSILON = np.float32(1e-3)
_SIDE = 224

Weights = dict[str, NDArray[Any]]


class _Unpickler(pickle.Unpickler):
    """Reads tensors, storages and ordered dicts; refuses every other class, as a guard."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.storages: dict[str, tuple[np.dtype[Any], int]] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands in for a class that the file names."""
        if module == "torch._utils" and name in ("_rebuild_tensor_v2", "_rebuild_tensor"):
            return lambda storage, offset, size, stride, *_: (storage, offset, size, stride)
        if module == "torch" and name in _STORAGES:
            return name
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        raise pickle.UnpicklingError(f"{module}.{name} is refused")

    def persistent_load(self, pid: Any) -> str:
        """Note a storage, whose bytes follow the pickle, and return its key."""
        kind, key, count = str(pid[1]), str(pid[2]), int(pid[4])
        self.storages[key] = _STORAGES[kind], count
        return key


def read_weights(path: Path) -> Weights:
    """Return the tensors of a PyTorch file of the old format, by name.

    Raises:
        ConfigurationError: the file has another format, or a storage another size.
    """
    with path.open("rb") as file:
        if _Unpickler(file).load() != _MAGIC:
            raise ConfigurationError(f"{path.name} is not a PyTorch file of the old format")
        _Unpickler(file).load()  # protocol version
        _Unpickler(file).load()  # sizes of C types
        reader = _Unpickler(file)
        tensors = reader.load()
        order = _Unpickler(file).load()
        data: dict[str, NDArray[Any]] = {}
        for key in order:
            kind, count = reader.storages[key]
            stored = int(np.frombuffer(file.read(8), "<i8")[0])
            if stored != count:
                raise ConfigurationError(f"{path.name}: a storage has another size than declared")
            data[key] = np.frombuffer(file.read(count * kind.itemsize), kind)
    return {name: _tensor(data, *tensor) for name, tensor in tensors.items()}


def _tensor(
    data: dict[str, NDArray[Any]],
    key: str,
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
) -> NDArray[Any]:
    base = data[key][offset:]
    if not size:
        return np.asarray(base[0])
    needed = 1 + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    if needed > len(base):
        raise ConfigurationError("a tensor reaches outside its storage")
    steps = [step * base.itemsize for step in stride]
    return np.ascontiguousarray(np.lib.stride_tricks.as_strided(base, size, steps))


def to_onnx(path: Path) -> bytes:
    """Return the network as ONNX: `input` 1x3x224x224 to `probs` 1x1000, `features` 1x1280.

    Raises:
        ConfigurationError: the file is not a PyTorch file of the old format.
    """
    return _Network(read_weights(path)).build()


class _Network:
    """Builds the graph of the network, layer by layer."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._graph = GraphBuilder()
        self._limits = [self._graph.constant(np.float32(0)), self._graph.constant(np.float32(6))]

    def build(self) -> bytes:
        """Return the finished model."""
        x = self._blocks(self._convolve("input", "_conv_stem", "_bn0", 2))
        x = self._convolve(x, "_conv_head", "_bn1")
        features = self._graph.add("Flatten", [self._graph.add("GlobalAveragePool", [x])])
        classifier = [
            self._graph.constant(self._weights["_fc.weight"]),
            self._graph.constant(self._weights["_fc.bias"]),
        ]
        scores = self._graph.add("Gemm", [features, *classifier], transB=1)
        self._graph.name_output(self._graph.add("Softmax", [scores], axis=1), "probs")
        self._graph.name_output(features, "features")
        return self._graph.finish(
            "efficientnet-lite0",
            {"input": [1, 3, _SIDE, _SIDE]},
            {"probs": [1, 1000], "features": [1, 1280]},
            opset=17,
        )

    def _blocks(self, x: str) -> str:
        """Add the inverted residual blocks of all stages."""
        index = 0
        for blocks, first_stride in zip(_BLOCKS, _STRIDES, strict=True):
            for number in range(blocks):
                prefix, skip = f"_blocks.{index}.", x
                stride = first_stride if number == 0 else 1
                if f"{prefix}_expand_conv.weight" in self._weights:
                    x = self._convolve(x, f"{prefix}_expand_conv", f"{prefix}_bn0")
                x = self._convolve(x, f"{prefix}_depthwise_conv", f"{prefix}_bn1", stride)
                x = self._convolve(x, f"{prefix}_project_conv", f"{prefix}_bn2", clip=False)
                if number:
                    x = self._graph.add("Add", [x, skip])
                index += 1
        return x

    def _convolve(self, x: str, name: str, norm: str, stride: int = 1, *, clip: bool = True) -> str:
        """Add a convolution with its batch normalisation folded in, and ReLU6 when `clip`."""
        weights = self._weights
        kernel = weights[f"{name}.weight"]
        gain = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + _EPSILON)
        bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * gain
        depthwise = kernel.shape[1] == 1 and kernel.shape[2] > 1
        y = self._graph.add(
            "Conv",
            [
                x,
                self._graph.constant((kernel * gain.reshape(-1, 1, 1, 1)).astype(np.float32)),
                self._graph.constant(bias.astype(np.float32)),
            ],
            strides=[stride] * 2,
            auto_pad="SAME_UPPER",
            group=int(kernel.shape[0]) if depthwise else 1,
            kernel_shape=list(kernel.shape[2:]),
        )
        return self._graph.add("Clip", [y, *self._limits]) if clip else y
