"""Read the weights of a TensorFlow.js model."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaginem.errors import ConfigurationError

_TYPES = {"float32": "<f4", "float16": "<f2", "int32": "<i4"}


def read_weights(manifest: list[dict[str, Any]], data: bytes) -> dict[str, NDArray[Any]]:
    """Return the values by name, as float32 or int32.

    Args:
        manifest: `weightsManifest` of the model: groups of weights with name, shape and type.
        data: the weight file, in which they follow each other.

    Raises:
        ConfigurationError: the file is larger than its weights.
    """
    values: dict[str, NDArray[Any]] = {}
    offset = 0
    for group in manifest:
        for entry in group["weights"]:
            stored = np.dtype(_TYPES[entry.get("quantization", entry)["dtype"]])
            count = int(np.prod(entry["shape"])) if entry["shape"] else 1
            part = np.frombuffer(data, stored, count, offset)
            offset += count * stored.itemsize
            target = np.float32 if entry["dtype"] == "float32" else np.int32
            values[entry["name"]] = part.astype(target).reshape(entry["shape"])
    if offset != len(data):
        raise ConfigurationError("the size of the weight file is not the one in its manifest")
    return values
