"""Imaginem turns photos into a rich, searchable, tagged set.

What a step's author needs is importable from here.
"""

from imaginem.context import JobContext
from imaginem.errors import PermanentError, RetryableError
from imaginem.imaging import Photo
from imaginem.outputs import StepOutput
from imaginem.registry import Step, step

__all__ = [
    "JobContext",
    "PermanentError",
    "Photo",
    "RetryableError",
    "Step",
    "StepOutput",
    "step",
]
__version__ = "0.1.0"
