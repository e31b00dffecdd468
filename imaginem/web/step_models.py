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


class FieldInfo(Answer):
    """A field of what a step finds; steps with a place of their own on the pages have none."""

    name: str = Field(examples=["light.brightness"])
    type: str = Field(examples=["number"])
    title: str = Field(examples=["Brightness"])
    means: str = Field(examples=["How bright the photo is on average."])
    unit: str = Field(examples=["lux"])


class StepInfo(Answer):
    """A step: its queue has the same name."""

    name: str = Field(examples=["facecrop"])
    requires: list[str] = Field(examples=[["facedetection"]])
    summary: str = Field(examples=["Cut each detected face out of the photo."])
    parameters: list[ParameterInfo]
    fields: list[FieldInfo] = Field(description="What photos are filtered by with `where`.")


class StepNames(Answer):
    """Names of steps."""

    steps: list[str] = Field(max_length=50, examples=[["facecrop", "ocr"]])
