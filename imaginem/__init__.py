"""Imaginem turns photos into a rich, searchable, tagged set.

What a step's author needs is importable from here. It is loaded when it is first asked for: a
process that only decodes a photo starts in a tenth of a second without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imaginem.errors import PermanentError, RetryableError
    from imaginem.images.decoding import Photo
    from imaginem.outputs import Shown, StepOutput
    from imaginem.pipeline.card_steps import classifier_step, detector_step
    from imaginem.pipeline.context import JobContext
    from imaginem.pipeline.faces_together import FacesOfFile, detect_faces, detect_faces_together
    from imaginem.pipeline.means import StepParameters, StepSettings
    from imaginem.pipeline.steps import Step, step
    from imaginem.ports import JobResult
    from imaginem.ports.weights import Weights

_HOMES = {
    "FacesOfFile": "imaginem.pipeline.faces_together",
    "JobContext": "imaginem.pipeline.context",
    "JobResult": "imaginem.ports",
    "PermanentError": "imaginem.errors",
    "Photo": "imaginem.images.decoding",
    "RetryableError": "imaginem.errors",
    "Shown": "imaginem.outputs",
    "Step": "imaginem.pipeline.steps",
    "StepOutput": "imaginem.outputs",
    "StepParameters": "imaginem.pipeline.means",
    "StepSettings": "imaginem.pipeline.means",
    "detect_faces": "imaginem.pipeline.faces_together",
    "detect_faces_together": "imaginem.pipeline.faces_together",
    "Weights": "imaginem.ports.weights",
    "classifier_step": "imaginem.pipeline.card_steps",
    "detector_step": "imaginem.pipeline.card_steps",
    "step": "imaginem.pipeline.steps",
}
__all__ = [
    "FacesOfFile",
    "JobContext",
    "JobResult",
    "PermanentError",
    "Photo",
    "RetryableError",
    "Shown",
    "Step",
    "StepOutput",
    "StepParameters",
    "StepSettings",
    "Weights",
    "classifier_step",
    "detect_faces",
    "detect_faces_together",
    "detector_step",
    "step",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Return a public name from the module where it is defined."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
