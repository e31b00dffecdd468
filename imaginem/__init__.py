"""Imaginem turns photos into a rich, searchable, tagged set.

What a step's author needs is importable from here.
"""

from imaginem.errors import PermanentError, RetryableError
from imaginem.images.decoding import Photo
from imaginem.outputs import StepOutput
from imaginem.pipeline.context import JobContext
from imaginem.pipeline.steps import Step, step
from imaginem.ports import JobResult

__all__ = [
    "JobContext",
    "JobResult",
    "PermanentError",
    "Photo",
    "RetryableError",
    "Step",
    "StepOutput",
    "step",
]
__version__ = "0.1.0"
