"""What a step over several photos declares: how many at once, and how long one waits for others."""

import re
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from imaginem.errors import RegistrationError
from imaginem.outputs import StepOutput
from imaginem.ports import CoreSettings

ContextT = TypeVar("ContextT")
OutputT = TypeVar("OutputT", bound=StepOutput)

GroupFunction = Callable[[list[ContextT]], Sequence[OutputT | Exception]]
"""Gets a list of jobs, returns an output or an exception for each."""

MOST = 50
"""Most jobs of a group: all are claimed in one transaction, which takes 100 changes."""
LONGEST = 3600.0
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Group(Generic[ContextT, OutputT]):
    """How a step works on several jobs at once.

    Attributes:
        size: most jobs of one call.
        within: seconds that a job waits for others at most.
        function: gets a list of jobs, returns an output or an exception for each.
    """

    size: int
    within: float
    function: Callable[[list[ContextT]], Sequence[OutputT | Exception]]

    def run(
        self, name: str, output_type: type[OutputT], jobs: Sequence[ContextT]
    ) -> list[OutputT | Exception]:
        """Call the function; check that it returns one output, or one exception, for each job.

        Raises:
            Exception: whatever the function raises.
            TypeError: it returned something else.
        """
        found = self.function(list(jobs))
        if not isinstance(found, Sequence) or len(found) != len(jobs):
            raise TypeError(f"step {name!r} must return a list of {len(jobs)}, one for each job")
        for one in found:
            if not isinstance(one, (output_type, Exception)):
                raise TypeError(
                    f"step {name!r} returned {type(one).__name__} for a job: return "
                    f"{output_type.__name__} or an exception"
                )
        return list(found)

    def of_one(self) -> Callable[[ContextT], OutputT]:
        """Return the function as one that sees a single job."""
        function = self.function

        def alone(job: ContextT) -> OutputT:
            found = function([job])[0]
            if isinstance(found, Exception):
                raise found
            return found

        alone.__name__, alone.__doc__ = function.__name__, function.__doc__
        return alone


@dataclass(frozen=True)
class Several(Generic[ContextT, OutputT]):
    """What a step that sees one job does for several at once, where the settings want it.

    Attributes:
        function: gets a list of jobs, returns an output or an exception for each.
        size: how many jobs the settings want at once.
        within: seconds that a job waits for others at most.
    """

    function: Callable[[list[ContextT]], Sequence[OutputT | Exception]]
    size: Callable[[CoreSettings], int]
    within: Callable[[CoreSettings], float]

    def group(self, settings: CoreSettings) -> Group[ContextT, OutputT] | None:
        """Return the group that the settings want; None if each job is to be seen alone."""
        size = self.size(settings)
        return Group(size, self.within(settings), self.function) if size > 1 else None


def group_of(
    function: Callable[[list[Any]], Sequence[Any]], size: int, within: str
) -> Group[Any, Any] | None:
    """Return what a step declares of its group; None for a step that sees one job.

    Raises:
        RegistrationError: it is not valid.
    """
    name = function.__name__
    if not (size or within):
        return None
    if not 2 <= size <= MOST:
        raise RegistrationError(
            f"step {name!r}: group is {size}: say how many photos it gets at once, 2 to {MOST}"
        )
    return Group(size, _seconds(name, within), function)


def _seconds(name: str, text: str) -> float:
    """Return a span of time in seconds."""
    told = _SPAN.fullmatch(text)
    seconds = float(told[1]) * _SECONDS[told[2]] if told else 0.0
    if not 1.0 <= seconds <= LONGEST:
        raise RegistrationError(
            f"step {name!r}: within is {text!r}: say how long a photo waits for others at most, "
            'such as "30s" or "2m"; 1s to 1h'
        )
    return seconds


def sees_a_list(annotation: object) -> bool:
    """Tell whether a return annotation is a list."""
    return typing.get_origin(annotation) is list


def output_of_one(name: str, annotation: object) -> type[StepOutput]:
    """Return the output model of a group step, read from its return annotation.

    Raises:
        RegistrationError: it is no list of outputs.
    """
    told = typing.get_args(annotation) if sees_a_list(annotation) else ()
    is_union = bool(told) and typing.get_origin(told[0]) in (typing.Union, types.UnionType)
    parts = typing.get_args(told[0]) if is_union else told
    classes = [part for part in parts if isinstance(part, type)]
    models = [part for part in classes if issubclass(part, StepOutput)]
    others = [part for part in classes if not issubclass(part, (StepOutput, Exception))]
    if len(models) != 1 or others or len(classes) != len(parts):
        raise RegistrationError(
            f"step {name!r} must say what it returns for each job, a subclass of StepOutput: "
            f"`def {name}(jobs: list[JobContext]) -> list[YourOutput]:`, or "
            "`list[YourOutput | PermanentError]`"
        )
    return models[0]
