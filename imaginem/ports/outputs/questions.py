"""An answer to a question about a photo."""

from pydantic import Field

from imaginem.ports.outputs.base import StepOutput


class PhotoReply(StepOutput):
    """What a model answers. It is a suggestion: nobody has checked it."""

    question: str = Field(description="What was asked")
    answer: str = Field(description="What the model says; empty if it was withheld")
    can_tell: bool = Field(
        description="Whether the photo shows enough to tell, by the model's word"
    )
    withheld: bool | None = Field(
        default=None, description="The answer names bareness or underwear, and was left out"
    )
    model_version: str | None = Field(default=None, description="The model, by the server's word")
