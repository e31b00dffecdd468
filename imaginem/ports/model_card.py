"""The model card: all that is to be known of an ONNX model to make a step of it.

docs/own-models.md explains each field to people.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, model_validator
from pydantic import Tag as PydanticTag

from imaginem.ports.weights import FileSource, Weights


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class MetadataLabels(_Part):
    """Labels that the ONNX file has in its metadata, one a line."""

    metadata: str = Field(min_length=1, description="The key that they stand under.")


def _way_of(labels: Any) -> str:
    if isinstance(labels, MetadataLabels) or (isinstance(labels, dict) and "metadata" in labels):
        return "by metadata"
    return "by file" if isinstance(labels, dict | FileSource) else "by list"


Labels = Annotated[
    Annotated[list[str], PydanticTag("by list")]
    | Annotated[MetadataLabels, PydanticTag("by metadata")]
    | Annotated[FileSource, PydanticTag("by file")],
    Discriminator(_way_of),
]
"""Texts in the order of the classes; their key in the file's metadata; or a file of them."""


class InputSpec(_Part):
    """How a photo becomes the network's input: each value is (pixel / divisor - mean) / std."""

    name: str = Field(default="", description="Name of the input; not needed if there is but one.")
    width: int = Field(gt=0, le=4096, description="Width that the network takes, in pixels.")
    height: int = Field(gt=0, le=4096, description="Height that the network takes, in pixels.")
    resize: Literal["stretch", "crop", "letterbox"] = Field(
        default="stretch",
        description="stretch: to the size, whatever the shape; crop: the middle; "
        "letterbox: the whole photo, filled up with `fill`.",
    )
    crop_share: float = Field(
        default=1,
        gt=0,
        le=1,
        description="crop: share of the photo's shorter side that is looked at.",
    )
    fill: int = Field(
        default=114, ge=0, le=255, description="letterbox: brightness of what is filled up."
    )
    colours: Literal["RGB", "BGR", "GREY"] = Field(
        default="RGB", description="Order of the channels."
    )
    layout: Literal["NCHW", "NHWC"] = Field(default="NCHW", description="Order of the dimensions.")
    divisor: float = Field(default=255, gt=0, description="Pixels, 0 to 255, are divided by it.")
    mean: list[float] = Field(
        default=[0.0], description="Taken away then; one number, or one for each channel."
    )
    std: list[float] = Field(
        default=[1.0], description="Divided by then; one number, or one for each channel."
    )

    @property
    def channels(self) -> int:
        """How many channels the network takes."""
        return 1 if self.colours == "GREY" else 3

    @model_validator(mode="after")
    def _numbers_for_channels(self) -> "InputSpec":
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, self.channels):
                raise ValueError(
                    f"{name} has {len(values)} numbers: give one, or one for each of the "
                    f"{self.channels} channels"
                )
        if 0 in self.std:
            raise ValueError("std must not be 0: pixels are divided by it")
        return self


Corners = Literal["xyxy", "yxyx", "xywh", "cxcywh"]
"""left, top, right, bottom; top, left, bottom, right; left, top, width, height; with the centre."""
Unit = Literal["pixels", "share"]
"""Pixels of the network's input; or shares of its sides, 0 to 1."""


class BoxesOutput(_Part):
    """Tensors for boxes, scores and classes: SSD, EfficientDet, Faster R-CNN."""

    kind: Literal["boxes"]
    boxes: str = Field(description="Name of the output with n x 4 numbers.")
    scores: str = Field(description="Name of that with n scores, or n x classes.")
    classes: str = Field(
        default="", description="Name of that with n classes; not for n x classes."
    )
    corners: Corners = Field(default="xyxy", description="What the four numbers are.")
    unit: Unit = Field(default="pixels", description="What they count.")


class RowsOutput(_Part):
    """One tensor with a row for each thing: four numbers of the box, score, class."""

    kind: Literal["rows"]
    name: str = Field(default="", description="Name of the output; not needed if there is but one.")
    corners: Corners = Field(default="xyxy", description="What the four numbers are.")
    unit: Unit = Field(default="pixels", description="What they count.")


class YoloOutput(_Part):
    """One tensor as YOLO has it: centre, width, height, then a score for each class."""

    kind: Literal["yolo"]
    name: str = Field(default="", description="Name of the output; not needed if there is but one.")
    objectness: bool = Field(
        default=False,
        description="A score that anything is there stands before the classes' (YOLOv5).",
    )


class PicodetOutput(_Part):
    """A pair of tensors for each grid, as PicoDet and NanoDet have them.

    One has scores, n x classes; one has, for the distances to the four sides, 4 x m numbers of a
    distribution each (Generalized Focal Loss, Li et al. 2020).
    """

    kind: Literal["picodet"]
    scores: list[str] = Field(min_length=1, description="Names of outputs with scores.")
    boxes: list[str] = Field(min_length=1, description="Names of those with distances, in order.")
    strides: list[Annotated[int, Field(gt=0)]] = Field(
        default=[8, 16, 32, 64], description="Pixels between places, in order."
    )

    @model_validator(mode="after")
    def _in_pairs(self) -> "PicodetOutput":
        if not len(self.scores) == len(self.boxes) == len(self.strides):
            raise ValueError(
                f"scores ({len(self.scores)}), boxes ({len(self.boxes)}) and strides "
                f"({len(self.strides)}) must be as many"
            )
        return self


DetectorOutput = Annotated[
    BoxesOutput | RowsOutput | YoloOutput | PicodetOutput, Field(discriminator="kind")
]


class _Card(_Part):
    name: str = Field(min_length=1, max_length=100, description="What the model is called.")
    version: str = Field(min_length=1, max_length=50, description="Its version, or a date.")
    licence: str = Field(
        min_length=1,
        description="Under which the weights may be used, such as Apache-2.0 "
        "(docs/own-models.md says which to avoid).",
    )
    source: str = Field(default="", description="Where people read about the model.")
    model: FileSource = Field(description="The ONNX file: where it is, and its sha256.")
    labels: Labels = Field(
        description='A list of texts, {"metadata": KEY}, or a file like `model`; one that is "" '
        "is never told."
    )
    input: InputSpec = Field(description="How a photo becomes the network's input.")

    @property
    def weights(self) -> list[Weights]:
        """The files that it needs: the model, and labels if they are one."""
        labels = [self.labels] if isinstance(self.labels, FileSource) else []
        sources = [self.model, *labels]
        return [Weights(**source.model_dump(), licence=self.licence) for source in sources]


class ClassifierCard(_Card):
    """A model that says what a photo shows."""

    kind: Literal["classifier"]
    output: str = Field(
        default="", description="Name of the output; not needed if there is but one."
    )
    scores: Literal["probabilities", "logits", "independent"] = Field(
        default="probabilities",
        description="probabilities: as they are; logits: made to add up to 1 (softmax); "
        "independent: each logit for itself (sigmoid).",
    )
    threshold: float = Field(default=0.3, ge=0, le=1, description="Least confidence that is told.")
    most: int = Field(default=10, gt=0, le=1000, description="Most tags of a photo.")


class DetectorCard(_Card):
    """A model that finds things in a photo."""

    kind: Literal["detector"]
    output: DetectorOutput = Field(description="How the network's answer is read.")
    threshold: float = Field(default=0.4, ge=0, le=1, description="Least confidence that is told.")
    most: int = Field(default=100, gt=0, le=1000, description="Most things of a photo.")
    overlap: float | None = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Of boxes of one class that overlap by more, the surest stays; null: all do.",
    )

    @model_validator(mode="after")
    def _sees_all(self) -> "DetectorCard":
        if self.input.resize == "crop":
            raise ValueError(
                "input.resize is crop, and a detector would not see the photo's edges: use "
                "stretch or letterbox"
            )
        return self


ModelCard = Annotated[ClassifierCard | DetectorCard, Field(discriminator="kind")]
