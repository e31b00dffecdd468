"""A registered step: a function, and what was declared of it."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from imaginem.outputs import StepOutput
from imaginem.pipeline.groups import Group, GroupFunction, Several
from imaginem.pipeline.means import StepParameters, StepSettings
from imaginem.ports import CoreSettings
from imaginem.ports.weights import Weights

ContextT = TypeVar("ContextT")
OutputT = TypeVar("OutputT", bound=StepOutput)


class Step(Generic[ContextT, OutputT]):
    """A registered step: a callable like the function it was made from, plus its properties.

    Generic in the context that it is called with (`JobContext`: one job) and in its output.

    Attributes:
        name: the function's name; also its queue and the key of its output.
        output_type: the pydantic model it returns.
        requires: steps whose output it reads.
        finalizer: True for a step that reports on the job instead of the photo, and so says
            nothing about whether the job succeeded.
        alone: True for a step that always has a delivery of its own.
        settings: the model of its settings; None if it has none.
        parameters: the model of what a job may say to it; None if that is nothing.
        group: how many jobs it works on at once at most; 0 for a step that sees one job.
        within: seconds that a job waits for others at most, in a group step.
        weights: the files that it brings.
        requirements: the packages that it needs, as pip names them.
        pure: True for a step whose output may be reused for the same photo.
        adopt: makes another job's output that of a job; None if nothing in it is a job's own.
        made_with: what else a pure step's output depends on.
        summary: first line of its docstring.
    """

    def __init__(
        self,
        function: Callable[[ContextT], OutputT],
        output_type: type[OutputT],
        requires: Sequence["Step[Any, Any]"],
        finalizer: bool,
        alone: bool,
        settings: type[StepSettings] | None = None,
        parameters: type[StepParameters] | None = None,
        group: Group[ContextT, OutputT] | None = None,
        *,
        weights: Sequence[Weights] = (),
        requirements: Sequence[str] = (),
        pure: bool = False,
        adopt: Callable[[ContextT, OutputT], OutputT] | None = None,
        made_with: str = "",
    ) -> None:
        self.name = function.__name__
        self.output_type = output_type
        self.requires = tuple(requires)
        self.finalizer = finalizer
        self.alone = alone or group is not None
        self.group = group.size if group else 0
        self.within = group.within if group else 0.0
        self.settings = settings
        self.parameters = parameters
        self.weights = tuple(weights)
        self.requirements = tuple(requirements)
        self.pure = pure
        self.adopt = adopt
        self.made_with = made_with
        self.summary = (inspect.getdoc(function) or "").partition("\n")[0]
        self._function = function
        self._group = group
        self._several: Several[ContextT, OutputT] | None = None
        self.__doc__ = function.__doc__

    def __call__(self, job: ContextT) -> OutputT:
        """Run the step."""
        return self._function(job)

    def together(self, jobs: Sequence[ContextT]) -> list[OutputT | Exception]:
        """Run a group step on several jobs; return an output, or what went wrong, for each.

        Raises:
            Exception: whatever the step raises; it is not known which of the jobs it is about.
            TypeError: the step did not return one output for each job.
        """
        if self._group is None:
            return [self(job) for job in jobs]
        return self._group.run(self.name, self.output_type, jobs)

    def over_several(
        self, size: Callable[[CoreSettings], int], within: Callable[[CoreSettings], float]
    ) -> Callable[[GroupFunction[ContextT, OutputT]], GroupFunction[ContextT, OutputT]]:
        """Declare a function that does the same for several jobs at once, if the settings want it.

        Args:
            size: how many jobs the settings want at once; the step stays as it is below 2.
            within: seconds that a job waits for others at most.
        """

        def declare(
            function: GroupFunction[ContextT, OutputT],
        ) -> GroupFunction[ContextT, OutputT]:
            self._several = Several(function, size, within)
            return function

        return declare

    def as_set(self, settings: CoreSettings) -> "Step[ContextT, OutputT]":
        """Return the step as the settings want it: this one, or the same over several jobs."""
        group = self._several.group(settings) if self._several else None
        if group is None:
            return self
        return Step(
            self._function,
            self.output_type,
            self.requires,
            self.finalizer,
            self.alone,
            self.settings,
            self.parameters,
            group,
            weights=self.weights,
            requirements=self.requirements,
            pure=self.pure,
            adopt=self.adopt,
            made_with=self.made_with,
        )

    @property
    def file(self) -> str:
        """Path of the file that the step is written in; empty if there is none."""
        return inspect.getsourcefile(inspect.unwrap(self._function)) or ""

    def __repr__(self) -> str:
        """Return the step's name."""
        return f"<step {self.name}>"


AnyStep = Step[Any, Any]
"""A step whatever its context and output."""
