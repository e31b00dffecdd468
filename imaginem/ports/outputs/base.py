"""The base of every output, which reads the spellings of the original system and of Azure."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def snake_case(key: str) -> str:
    """Return a name such as `FaceRectangle` as `face_rectangle`."""
    return _CAPITAL.sub("_", key).lower()


class StepOutput(BaseModel):
    """Base of every step's output.

    Field names are also read in the original system's spelling (`FaceRectangle`) and in
    Azure's (`faceRectangle`); unknown fields are ignored. NaN and infinity stay what they are, so
    that an output which has one is refused, instead of saying that nothing was found.
    """

    model_config = ConfigDict(extra="ignore", ser_json_inf_nan="constants")

    @model_validator(mode="before")
    @classmethod
    def _accept_original_names(cls, value: Any) -> Any:
        if isinstance(value, dict) and any(key != key.lower() for key in value):
            return {snake_case(key): item for key, item in value.items()}
        return value
