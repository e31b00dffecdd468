"""Models of the steps that there are, and of what may be said to them."""

from typing import Any

from pydantic import Field

from imaginem.web.models import Answer


class ParameterInfo(Answer):
    """What may be said to a step with a job."""

    name: str = Field(examples=["limit"])
    type: str = Field(examples=["number"])
    required: bool
    default: Any = Field(examples=[100])
    means: str = Field(examples=["Below this, a photo counts as blurred."])
    choices: list[Any] | None


class StepInfo(Answer):
    """A step: its queue has the same name."""

    name: str = Field(examples=["facecrop"])
    requires: list[str] = Field(examples=[["facedetection"]])
    summary: str = Field(examples=["Cut each detected face out of the photo."])
    parameters: list[ParameterInfo]


class StepNames(Answer):
    """Names of steps."""

    steps: list[str] = Field(max_length=50, examples=[["facecrop", "ocr"]])
