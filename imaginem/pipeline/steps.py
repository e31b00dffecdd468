"""The `@step` decorator and the registry of steps."""

import difflib
import inspect
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar, overload

from imaginem.errors import RegistrationError
from imaginem.names import STEP_NAME
from imaginem.outputs import StepOutput
from imaginem.pipeline.brought import check_requirements, check_weights
from imaginem.pipeline.groups import (
    Group,
    GroupFunction,
    Several,
    group_of,
    output_of_one,
    sees_a_list,
)
from imaginem.pipeline.means import StepParameters, StepSettings, check_kind
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


class Registry:
    """Steps by name, in the order of their registration."""

    def __init__(self) -> None:
        self._steps: dict[str, AnyStep] = {}

    def add(self, step: AnyStep) -> None:
        """Add a step.

        Raises:
            RegistrationError: its name is taken or can't be a queue's name.
        """
        if not STEP_NAME.fullmatch(step.name):
            raise RegistrationError(
                f"step {step.name!r}: the name is also its queue's, so use 3 to 63 of a-z and "
                "0-9, starting with a letter"
            )
        if step.name in self._steps:
            raise RegistrationError(f"step {step.name!r} is registered twice: rename one")
        self._steps[step.name] = step

    def as_set(self, settings: CoreSettings) -> "Registry":
        """Return the steps as the settings want them; see `Step.as_set`."""
        steps = {name: step.as_set(settings) for name, step in self._steps.items()}
        if steps == self._steps:
            return self
        changed = Registry()
        changed._steps = steps
        return changed

    def get(self, name: str) -> AnyStep:
        """Return a step by name.

        Raises:
            KeyError: there is none; the message suggests a close name.
        """
        if name not in self._steps:
            raise KeyError(f"no step is named {name!r}{self.suggestion(name)}")
        return self._steps[name]

    def suggestion(self, name: str) -> str:
        """Return `: did you mean …?` when a step's name is close, else nothing."""
        close = difflib.get_close_matches(name, self._steps, n=1, cutoff=0.75)
        return f": did you mean {close[0]}?" if close else ""

    def resolve(self, names: Iterable[str]) -> list[str]:
        """Return the steps and all that they require, each after what it requires.

        Raises:
            KeyError: no step has one of the names.
        """
        ordered: dict[str, None] = {}

        def visit(step: AnyStep) -> None:
            for needed in step.requires:
                visit(needed)
            ordered.setdefault(step.name)

        for step in sorted((self.get(name) for name in names), key=lambda step: step.finalizer):
            visit(step)
        return list(ordered)

    def __iter__(self) -> Iterator[AnyStep]:
        """Iterate over the steps."""
        return iter(self._steps.values())

    def __contains__(self, name: object) -> bool:
        """Tell whether a step has this name."""
        return name in self._steps

    def settings(self) -> Iterator[tuple[str, type[StepSettings]]]:
        """Yield the steps that have settings, with the models of these."""
        for step in self:
            if step.settings is not None:
                yield step.name, step.settings

    def parameters(self) -> dict[str, type[StepParameters] | None]:
        """Return the models of the steps' parameters, by all steps' names."""
        return {step.name: step.parameters for step in self}

    def weights(self) -> list[tuple[str, Weights]]:
        """Return the files that steps bring, with the names of the steps."""
        return [(step.name, weights) for step in self for weights in step.weights]

    def requirements(self) -> list[tuple[str, str]]:
        """Return the packages that steps need, with the names of the steps."""
        return [(step.name, package) for step in self for package in step.requirements]

    def names(self) -> list[str]:
        """Return the steps' names."""
        return list(self._steps)


default_registry = Registry()
"""The registry that `@step` uses unless another one is given."""


class Registering(Protocol):
    """Makes a step of a function: of one that sees a job, or in a group step a list of jobs."""

    @overload
    def __call__(self, function: Callable[[ContextT], OutputT]) -> Step[ContextT, OutputT]: ...

    @overload
    def __call__(
        self, function: Callable[[list[ContextT]], Sequence[OutputT | Exception]]
    ) -> Step[ContextT, OutputT]: ...


def step(
    *,
    requires: Sequence[AnyStep] = (),
    finalizer: bool = False,
    alone: bool = False,
    settings: type[StepSettings] | None = None,
    parameters: type[StepParameters] | None = None,
    weights: Sequence[Weights] = (),
    requirements: Sequence[str] = (),
    registry: Registry | None = None,
    group: int = 0,
    within: str = "",
    pure: bool = False,
    adopt: Callable[[Any, Any], Any] | None = None,
    made_with: str = "",
) -> Registering:
    """Make a function a step of the pipeline.

    Args:
        requires: steps whose output this one reads with `job.output(…)`.
        finalizer: the step reports on the job; it doesn't count for `job_state`.
        alone: the step never shares a delivery with the steps around it: for one that takes
            minutes, or much memory.
        settings: what it reads with `job.settings(…)`; checked when the app starts.
        parameters: what it reads with `job.parameters(…)`; checked before a job is sent.
        weights: files that it reads with `job.weights(…)` or opens with `job.model(…)`; `imaginem
            assets fetch` fetches them.
        requirements: packages that Azure must install for it: `name==1.2`, or a name alone that
            the repository's requirements files pin.
        registry: where to register it, for tests.
        group: the step works on as many jobs at once: its function gets a list of them, of one
            batch, and returns a list with an output, or an exception, for each. At most 50.
        within: how long a job waits for others at most, such as "30s" or "2m"; with `group`.
        pure: the output depends on nothing but the photo's bytes, the engines, the step's settings
            and parameters, and the outputs of the steps that it requires; and the step leaves
            nothing elsewhere. With `REUSE_OUTPUTS` it may be taken from an earlier job.
        adopt: of a pure step whose output has something of its job in it, such as ids: gets a job
            and another job's output, and returns that as the job's own.
        made_with: of a pure step: what else its output depends on, and stays the same while the
            app runs, such as the text of a prompt. With another one the step runs.

    Raises:
        RegistrationError: the name, parameters or return annotation are not valid.
    """

    def register(function: Callable[[Any], Any]) -> Step[Any, Any]:
        name = function.__name__
        check_kind(name, "settings", settings, StepSettings)
        check_kind(name, "parameters", parameters, StepParameters)
        check_weights(name, weights)
        check_requirements(name, requirements)
        found = group_of(function, group, within)
        for word, given in (("adopt", adopt), ("made_with", made_with)):
            if given and not pure:
                raise RegistrationError(
                    f"step {name!r}: `{word}` is for a step that is `pure=True`"
                )
        if pure and (finalizer or found is not None):
            what = "a finalizer" if finalizer else "a group step"
            raise RegistrationError(f"step {name!r} is {what}, so it can't be pure")
        registered: Step[Any, Any] = Step(
            function if found is None else found.of_one(),
            _output_type(function, grouped=found is not None),
            requires,
            finalizer,
            alone,
            settings,
            parameters,
            found,
            weights=weights,
            requirements=requirements,
            pure=pure,
            adopt=adopt,
            made_with=made_with,
        )
        (default_registry if registry is None else registry).add(registered)
        return registered

    return register


def _output_type(function: Callable[[Any], Any], *, grouped: bool) -> type[StepOutput]:
    """Return a step's output model, read from its return annotation."""
    name = function.__name__
    if len(inspect.signature(function).parameters) != 1:
        takes = "jobs: list[JobContext]" if grouped else "job: JobContext"
        raise RegistrationError(f"step {name!r} must take one parameter: `{takes}`")
    annotation = typing.get_type_hints(function).get("return")
    if grouped:
        return output_of_one(name, annotation)
    if sees_a_list(annotation):
        raise RegistrationError(
            f'step {name!r} returns a list: say `@step(group=9, within="30s")` if it works on '
            "several photos, or return one output"
        )
    if not (isinstance(annotation, type) and issubclass(annotation, StepOutput)):
        raise RegistrationError(
            f"step {name!r} must say what it returns, a subclass of StepOutput: "
            f"`def {name}(job: JobContext) -> YourOutput:`"
        )
    return annotation
