"""The table of choices: which runtime and precision each network gets on which processor.

Milliseconds of one run on one thread, medians of interleaved rounds, onnxruntime 1.32.0 against
OpenVINO 2026.4.0 on the photos of `make bench`. A network goes to OpenVINO where that is faster
by `_WORTH`; bf16 is allowed where `make bench ARGS=accuracy`
shows that the answers stay the same. `imaginem.engines.local.runtimes.processor` tells processors.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Runtime = Literal["onnxruntime", "openvino"]
Precision = Literal["f32", "bf16"]


class Processor(StrEnum):
    """What a processor has that decides how fast networks run."""

    AMX = "amx"
    """AVX-512, and bf16 in tiles (AMX)."""
    BF16 = "bf16"
    """AVX-512 with bf16 arithmetic, without AMX."""
    AVX512 = "avx512"
    """AVX-512 without bf16."""
    PLAIN = "plain"
    """AVX2 at most."""
    OTHER = "other"
    """Not x86-64: nothing was measured there."""


HAVE_BF16 = (Processor.AMX, Processor.BF16)
"""Processors that calculate in bf16."""

_WORTH = {
    Processor.PLAIN: 2.0,
    Processor.AVX512: 1.4,
    Processor.BF16: 1.4,
    Processor.AMX: 1.4,
}
"""Times that OpenVINO must be faster to be chosen; more where text stays on onnxruntime.

A second runtime costs memory: on a plain processor networks of faces on OpenVINO raised a
process from 570 to 800 MB at its peak and saved 4 % of a photo's time; since onnxruntime gets their
PReLUs as convolutions, it would save less.
"""


@dataclass(frozen=True)
class Choice:
    """How a network is run.

    Attributes:
        runtime: runs it.
        precision: of the arithmetic; inputs and outputs are f32 in any case.
    """

    runtime: Runtime
    precision: Precision = "f32"


@dataclass(frozen=True)
class Measured:
    """Milliseconds of one run.

    Attributes:
        onnxruntime: in f32.
        openvino: in f32.
        openvino_bf16: in bf16; None where the processor has no bf16.
    """

    onnxruntime: float
    openvino: float
    openvino_bf16: float | None = None


@dataclass(frozen=True)
class Network:
    """The figures of a network.

    Attributes:
        plain: on an AMD EPYC (Zen 4) whose machine offers AVX2 and no AVX-512.
        bf16: on an AMD EPYC (Zen 4) with AVX-512 and bf16, and no AMX; all runs of a photo, the
            mean of the 16 photos of `make bench`, best of three rounds.
        wide: on a Xeon with AVX-512 and AMX; None where it was not measured, and `plain` decides.
        bf16_harmless: its answers in bf16 keep the bounds of `benchmarks/accuracy.py`, on a
            processor that has it: imitated, recognition of text kept them too.
    """

    plain: Measured
    bf16: Measured
    wide: Measured | None = None
    bf16_harmless: bool = False


NETWORKS: dict[str, Network] = {
    "centernet.onnx": Network(
        Measured(88.8, 140.1), Measured(50.0, 41.4, 25.0), Measured(65.5, 119.0, 73.0)
    ),
    "efficientnet-lite0.onnx": Network(
        Measured(12.7, 12.9), Measured(9.6, 9.1, 5.5), Measured(9.5, 8.0, 4.0)
    ),
    "face-embedding-512.onnx": Network(Measured(7.2, 7.3), Measured(9.4, 11.4, 7.7)),
    "face-landmarks-68.onnx": Network(Measured(0.5, 0.6), Measured(0.6, 0.7, 0.5)),
    "face-pose.onnx": Network(Measured(6.7, 6.7), Measured(8.4, 7.9, 4.9)),
    "mtcnn-onet.onnx": Network(Measured(6.1, 6.2), Measured(4.2, 4.4, 2.7)),
    "ocr-detection.onnx": Network(
        Measured(284.9, 297.4),
        Measured(215.1, 194.9, 100.6),
        Measured(653.0, 143.0, 66.0),
        bf16_harmless=True,
    ),
    "ocr-recognition.onnx": Network(
        Measured(41.1, 43.1), Measured(45.7, 45.5, 26.7), Measured(19.0, 19.0, 6.0)
    ),
    "open-nsfw.onnx": Network(
        Measured(30.1, 28.7),
        Measured(20.7, 19.4, 10.6),
        Measured(15.0, 16.0, 3.0),
        bf16_harmless=True,
    ),
    "orientation.onnx": Network(Measured(5.3, 5.7), Measured(4.9, 4.6, 2.6)),
    "yunet.onnx": Network(Measured(19.1, 26.8), Measured(19.1, 26.8)),  # both with AVX-512
}
"""By the names of `imaginem/assets/manifest.json`; any other network runs on onnxruntime."""


def choose(network: str, processor: Processor) -> Choice:
    """Return the fastest choice whose answers stay the same."""
    row = NETWORKS.get(network)
    if row is None or processor is Processor.OTHER:
        return Choice("onnxruntime")
    measured = _figures(row, processor)
    has_bf16 = processor in HAVE_BF16 and row.bf16_harmless
    bf16 = measured.openvino_bf16 if has_bf16 else None
    if bf16 is not None and measured.onnxruntime >= _WORTH[processor] * bf16:
        return Choice("openvino", "bf16")
    if measured.onnxruntime >= _WORTH[processor] * measured.openvino:
        return Choice("openvino")
    return Choice("onnxruntime")


def _figures(row: Network, processor: Processor) -> Measured:
    """Return what was measured on the processor that is most like this one."""
    if processor is Processor.BF16:
        return row.bf16
    wide = processor in (Processor.AMX, Processor.AVX512)
    return row.wide if wide and row.wide is not None else row.plain
