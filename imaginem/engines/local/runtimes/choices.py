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

    BF16 = "bf16"
    """AVX-512 with bf16 arithmetic, or AMX."""
    AVX512 = "avx512"
    """AVX-512 without bf16."""
    PLAIN = "plain"
    """AVX2 at most."""
    OTHER = "other"
    """Not x86-64: nothing was measured there."""


_WORTH = {Processor.PLAIN: 2.0, Processor.AVX512: 1.4, Processor.BF16: 1.4}
"""Times that OpenVINO must be faster to be chosen; more where text stays on onnxruntime.

A second runtime costs memory: on a plain processor MTCNN and embeddings on OpenVINO raised a
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
        wide: on a Xeon with AVX-512 and AMX; None where it was not measured, and `plain` decides.
        bf16_harmless: its answers in bf16 keep the bounds of `benchmarks/accuracy.py`.
    """

    plain: Measured
    wide: Measured | None = None
    bf16_harmless: bool = False


NETWORKS: dict[str, Network] = {
    "centernet.onnx": Network(Measured(88.8, 140.1), Measured(65.5, 119.0, 73.0)),
    "efficientnet-lite0.onnx": Network(Measured(12.7, 12.9), Measured(9.5, 8.0, 4.0)),
    "face-embedding-512.onnx": Network(Measured(7.2, 7.3)),
    "face-landmarks-68.onnx": Network(Measured(0.5, 0.6)),
    "face-pose.onnx": Network(Measured(6.7, 6.7)),
    "mtcnn-onet.onnx": Network(Measured(6.1, 6.2)),
    "mtcnn-pnet.onnx": Network(Measured(19.4, 16.1), Measured(115.0, 50.0, 30.0)),
    "mtcnn-rnet.onnx": Network(Measured(10.2, 9.3)),
    "ocr-detection.onnx": Network(
        Measured(284.9, 297.4), Measured(653.0, 143.0, 66.0), bf16_harmless=True
    ),
    "ocr-recognition.onnx": Network(
        Measured(41.1, 43.1), Measured(19.0, 19.0, 6.0), bf16_harmless=True
    ),
    "open-nsfw.onnx": Network(Measured(30.1, 28.7), Measured(15.0, 16.0, 3.0), bf16_harmless=True),
    "orientation.onnx": Network(Measured(5.3, 5.7)),
}
"""By the names of `imaginem/assets/manifest.json`; any other network runs on onnxruntime."""


def choose(network: str, processor: Processor) -> Choice:
    """Return the fastest choice whose answers stay the same."""
    row = NETWORKS.get(network)
    if row is None or processor is Processor.OTHER:
        return Choice("onnxruntime")
    wide = processor in (Processor.BF16, Processor.AVX512)
    measured = row.wide if wide and row.wide is not None else row.plain
    bf16 = measured.openvino_bf16 if processor is Processor.BF16 and row.bf16_harmless else None
    if bf16 is not None and measured.onnxruntime >= _WORTH[processor] * bf16:
        return Choice("openvino", "bf16")
    if measured.onnxruntime >= _WORTH[processor] * measured.openvino:
        return Choice("openvino")
    return Choice("onnxruntime")
