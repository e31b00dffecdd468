"""An answer to a question about a photo."""

from typing import Annotated

from pydantic import Field

from imaginem.ports.outputs.base import StepOutput
from imaginem.ports.outputs.shown import Shown

_Unsought = Shown(searchable=False)
"""Words of a question would find every photo that it was asked of, whatever the answer."""


class PhotoReply(StepOutput):
    """What a model answers. It is a suggestion: nobody has checked it."""

    question: Annotated[str, _Unsought] = Field(description="What was asked")
    answer: str = Field(description="What the model says; empty if it was withheld")
    can_tell: bool = Field(
        description="Whether the photo shows enough to tell, by the model's own word"
    )
    withheld: bool | None = Field(
        default=None, description="The answer names bareness or underwear, and was left out"
    )
    model_version: Annotated[str | None, _Unsought] = Field(
        default=None, description="The model, by the server's word"
    )
