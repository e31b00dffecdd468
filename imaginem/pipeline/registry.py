"""The registry of steps."""

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path

from imaginem.errors import RegistrationError
from imaginem.names import STEP_NAME
from imaginem.pipeline.means import StepParameters, StepSettings
from imaginem.pipeline.registered_step import AnyStep
from imaginem.ports import CoreSettings
from imaginem.ports.weights import Weights


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
            other = self._steps[step.name].file
            where = f" ({Path(other).name} has the other one)" if other else ""
            raise RegistrationError(f"step {step.name!r} is registered twice: rename one{where}")
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
