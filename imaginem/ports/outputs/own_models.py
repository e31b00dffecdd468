"""What steps made of model cards return."""

from typing import Annotated

from pydantic import Field

from imaginem.ports.outputs.analysis import Box
from imaginem.ports.outputs.base import StepOutput
from imaginem.ports.outputs.shown import Shown

_OF_THE_MODEL = Shown(searchable=False)  # every photo has the same
_OF_THE_FILE = Shown(searchable=False, quiet=True)  # few photos have any


class ModelTag(StepOutput):
    """A label that a model gives a photo."""

    name: str = Field(description="The label.")
    confidence: float = Field(description="How sure the model is, from 0 to 1.")
    page: int | None = Field(default=None, description="Page of the file, if it has several.")


class ModelObject(StepOutput):
    """A thing that a model found, and where."""

    name: str = Field(description="The label.")
    confidence: float = Field(description="How sure the model is, from 0 to 1.")
    rectangle: Box = Field(description="Where it is, in pixels of the photo.")
    page: int | None = Field(default=None, description="Page of the file, if it has several.")


class ModelOutput(StepOutput):
    """What the output of each step made of a model card has."""

    model: Annotated[str, _OF_THE_MODEL] = Field(description="Name of the model.")
    model_version: Annotated[str, _OF_THE_MODEL] = Field(description="Its version.")
    threshold: Annotated[float, _OF_THE_MODEL] = Field(
        description="What the model is less sure of is left out."
    )
    ends_early: Annotated[bool | None, _OF_THE_FILE] = Field(
        default=None, description="The file lacks its end, so a part of the photo is missing."
    )
    pages: Annotated[int | None, _OF_THE_FILE] = Field(
        default=None, description="How many pages the file has, if several."
    )
    unread_pages: Annotated[list[int] | None, _OF_THE_FILE] = Field(
        default=None, description="Pages that can't be decoded."
    )


class _Tags(StepOutput):
    tags: list[ModelTag] = Field(description="Labels, surest first on each page.")


class _Objects(StepOutput):
    objects: list[ModelObject] = Field(description="Things, surest first on each page.")


# The fields of the last base come first: what was found, before what found it.
class ModelTags(ModelOutput, _Tags):
    """What a classifier says of a photo."""


class ModelObjects(ModelOutput, _Objects):
    """What a detector finds in a photo."""
