"""The `@step` decorator; what it makes and where that is registered is imported from here, too."""

import inspect
import typing
from collections.abc import Callable, Sequence
from typing import Any, Protocol, overload

from imaginem.errors import RegistrationError
from imaginem.outputs import StepOutput
from imaginem.pipeline.brought import check_requirements, check_weights
from imaginem.pipeline.groups import group_of, output_of_one, sees_a_list
from imaginem.pipeline.means import StepParameters, StepSettings, check_kind
from imaginem.pipeline.registered_step import AnyStep, ContextT, OutputT, Step
from imaginem.pipeline.registry import Registry, default_registry
from imaginem.ports.weights import Weights

__all__ = [
    "AnyStep",
    "OutputT",
    "Registering",
    "Registry",
    "Step",
    "default_registry",
    "step",
]


class Registering(Protocol):
    """Makes a step of a function: of one that sees a job, or in a group step a list of jobs."""

    @overload
    def __call__(self, function: Callable[[ContextT], OutputT]) -> Step[ContextT, OutputT]: ...

    @overload
    def __call__(
        self, function: Callable[[list[ContextT]], Sequence[OutputT | Exception]]
    ) -> Step[ContextT, OutputT]: ...


def step(
    *misplaced: object,
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
    if misplaced:
        name = getattr(misplaced[0], "__name__", "")
        raise RegistrationError(
            f"step {name!r}: write @step() with parentheses above it"
            if callable(misplaced[0])
            else "@step takes its arguments by name, such as @step(requires=(ocr,))"
        )

    def register(function: Callable[[Any], Any]) -> Step[Any, Any]:
        name = function.__name__
        if inspect.iscoroutinefunction(function):
            raise RegistrationError(f"step {name!r}: write def instead of async def")
        _check_requires(name, requires)
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


def _check_requires(step: str, declared: Sequence[AnyStep]) -> None:
    """Check what `@step(requires=…)` was given.

    Raises:
        RegistrationError: it is something else than several steps.
    """
    given = declared if isinstance(declared, list | tuple) else [declared]
    wrong = given if given is not declared else [one for one in given if not isinstance(one, Step)]
    for one in wrong:
        name = str(getattr(one, "name", getattr(one, "__name__", one))).rpartition(".")[2]
        raise RegistrationError(
            f"step {step!r}: `requires` is a list of steps: write requires=({name},), and above "
            f"it `from steps.{name} import {name}`"
        )


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
