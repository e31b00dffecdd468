"""Networks that calculate as if in bf16, for processors that have none."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from imaginem.assets import AssetStore
from imaginem.assets.manifest import Manifest
from imaginem.assets.store import sha256_of

_ROUNDED = ("Conv", "ConvTranspose", "MatMul", "Gemm")
"""Operators that processors calculate in bf16, with sums in f32."""

_FACTOR = "bf16.factor"


def imitating_store(store: AssetStore, names: Sequence[str], folder: Path) -> AssetStore:
    """Return a store in which these networks are imitated in bf16.

    Args:
        store: has the weights.
        names: of the networks.
        folder: where the changed networks are written, and all others are linked.
    """
    assets = dict(store.manifest.assets)
    for name, asset in assets.items():
        if asset.kind != "model":
            continue
        source = store.path(name)
        target = folder / name
        if name in names:
            onnx.save(imitate(onnx.load(source)), target)
        else:
            target.symlink_to(source)
        digest = sha256_of(target)
        made = replace(asset, installed="", sha256=digest, size=target.stat().st_size)
        target.rename(folder / made.file_name)
        assets[name] = made
    return AssetStore(folder, Manifest(store.manifest.packages, assets))


def imitate(model: onnx.ModelProto) -> onnx.ModelProto:
    """Round what goes into each convolution and matrix product to bf16; the network is changed.

    Dekker 1971 cuts a number down to some bits by a product and two differences, which every
    version of ONNX has: with c = (2^16 + 1) x, c - (c - x) is x in the 8 bits that bf16 keeps.
    """
    factor = numpy_helper.from_array(np.array(2.0**16 + 1, np.float32), _FACTOR)
    model.graph.initializer.append(factor)
    nodes = []
    for number, node in enumerate(model.graph.node):
        if node.op_type in _ROUNDED:
            for place, value in enumerate(list(node.input)[:2]):  # a bias is added in f32
                large, rest, rounded = (f"bf16.{number}.{place}.{part}" for part in "abc")
                nodes += [
                    helper.make_node("Mul", [value, _FACTOR], [large]),
                    helper.make_node("Sub", [large, value], [rest]),
                    helper.make_node("Sub", [large, rest], [rounded]),
                ]
                node.input[place] = rounded
        nodes.append(node)
    changed = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(changed)
    return model
