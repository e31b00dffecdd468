"""What was found in a photo, as places on it and as lists beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from imaginem.outputs import Face, FoundObject, ImageAnalysis, OcrText, TextLine

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Found:
    """What was found; an output that doesn't fit its model counts as nothing."""

    analysis: ImageAnalysis | None = None
    text: OcrText | None = None
    faces: list[Face] = field(default_factory=list)
    width: int = 0
    height: int = 0

    @property
    def objects(self) -> list[FoundObject]:
        """Things with a place."""
        return self.analysis.objects if self.analysis else []

    @property
    def lines(self) -> list[TextLine]:
        """Lines of text."""
        return self.text.lines if self.text else []

    @property
    def is_adult(self) -> bool:
        """Whether somebody may not want to see it without a warning."""
        adult = self.analysis.adult if self.analysis else None
        return adult is not None and (adult.is_adult_content or bool(adult.is_gory_content))


def found_in(outputs: Mapping[str, Any], size: tuple[int, int]) -> Found:
    """Read a job's outputs.

    Args:
        outputs: by step.
        size: of the upright photo, in which coordinates are told.
    """
    detected = outputs.get("facedetection")
    faces = detected.get("faces") if isinstance(detected, dict) else None
    read = [_read(Face, face) for face in faces] if isinstance(faces, list) else []
    return Found(
        analysis=_read(ImageAnalysis, outputs.get("generalclassification")),
        text=_read(OcrText, outputs.get("ocr")),
        faces=[face for face in read if face is not None],
        width=size[0],
        height=size[1],
    )


def _read(model: type[Model], value: Any) -> Model | None:
    try:
        return model.model_validate(value) if value is not None else None
    except ValidationError:
        return None


def polygon(corners: list[int]) -> str:
    """Return `[x1, y1, …]` as SVG writes points."""
    return " ".join(f"{x},{y}" for x, y in zip(corners[::2], corners[1::2], strict=False))
