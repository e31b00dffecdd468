"""What own steps find: read by their models, shown and searched wherever photos are."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imaginem.pipeline.steps import AnyStep, Registry
from imaginem.ports import JobResult
from imaginem.ports.own_outputs.conditions import Condition, named_fields, read_conditions
from imaginem.ports.own_outputs.fields import OutputField, fields_of
from imaginem.ports.own_outputs.index import PLACED_STEPS, IndexedOutputs, index_of
from imaginem.ports.own_outputs.values import FieldValue, MarkedBox, read_output, without_long_lists
from imaginem.usecases.findings import FOUND, Finding
from imaginem.usecases.jobs import JobView
from imaginem.usecases.looked import Look, Looked, look_in_result, look_of

_TEMPLATE = "sample"
"""The step that ships to start others from: nobody misses what it would find."""


@dataclass(frozen=True)
class OwnFinding:
    """What an own step found in a photo, or why nothing is known.

    Attributes:
        step: its name.
        summary: what it does.
        finding: how it is told.
        values: what it said, field by field; empty unless its output can be read.
    """

    step: str
    summary: str
    finding: Finding
    values: Sequence[FieldValue] = ()

    @property
    def is_found(self) -> bool:
        """Whether there is something to show."""
        return self.finding.how == FOUND

    @property
    def boxes(self) -> list[MarkedBox]:
        """The places on the photo that it names."""
        return [box for value in self.values for box in value.boxes if box is not None]


class OwnOutputs:
    """Reads the outputs of the steps that have no place of their own.

    Args:
        registry: of all steps; it is read at each call, since steps may be loaded later.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def steps(self) -> list[AnyStep]:
        """Return the steps, in the order of their registration."""
        return [
            step for step in self._registry if not step.finalizer and step.name not in PLACED_STEPS
        ]

    def index(self, outputs: Mapping[str, Any]) -> IndexedOutputs:
        """Return what a photo is found by.

        Args:
            outputs: by step.
        """
        return index_of(
            (step.name, values)
            for step in self.steps()
            if step.name in outputs
            and (values := read_output(step.output_type, outputs[step.name])) is not None
        )

    def fields(self, of_step: str = "") -> dict[str, OutputField]:
        """Return the fields that photos are filtered by, by step and field; of one step, or all."""
        return {
            name: field
            for step in self.steps()
            if of_step in ("", step.name)
            for name, field in named_fields(step.name, fields_of(step.output_type))
        }

    def shown_fields(self) -> dict[str, tuple[OutputField, ...]]:
        """Return the fields that are shown, by step."""
        return {step.name: fields_of(step.output_type) for step in self.steps()}

    def conditions(self, text: str) -> tuple[Condition, ...]:
        """Read conditions such as `blurriness.sharpness>=100`, with ` and ` between them.

        Raises:
            InvalidMessage: it can't be read; says what may be asked for.
        """
        return read_conditions(text, self.fields()) if text.strip() else ()

    def of_job(self, job: JobView) -> list[OwnFinding]:
        """Return what is told of the own steps of a job, in the order in which they run."""
        names = [step.name for step in job.steps]
        found = self._told(names, job.outputs or {}, lambda step: look_of(job, step))
        return list(found)

    def of_result(self, result: JobResult) -> list[OwnFinding]:
        """Return the same by a job's result alone."""
        names, outputs = result.processing_pipeline, result.job_output
        return list(self._told(names, outputs, lambda step: look_in_result(result, step)))

    def of_outputs(self, outputs: Mapping[str, Any]) -> list[OwnFinding]:
        """Return what own steps have found so far, by their outputs alone."""
        return list(self._told([], outputs, lambda step: Look(step, Looked.DONE)))

    def readable(self, outputs: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """Return a job's outputs for people: of own steps without long lists of numbers."""
        if outputs is None:
            return None
        return {
            step: output if step in PLACED_STEPS else without_long_lists(output)
            for step, output in outputs.items()
        }

    def not_asked(self, job: JobView) -> list[str]:
        """Return the own steps that are no steps of a job, and have not looked at its photo."""
        asked = {_TEMPLATE, *(step.name for step in job.steps), *(job.outputs or {})}
        return [step.name for step in self.steps() if step.name not in asked]

    def _told(
        self, names: Sequence[str], outputs: Mapping[str, Any], look_at: Callable[[str], Look]
    ) -> Iterator[OwnFinding]:
        place = {name: number for number, name in enumerate(names)}
        asked = [step for step in self.steps() if step.name in place or step.name in outputs]
        for step in sorted(asked, key=lambda step: place.get(step.name, len(place))):
            yield _told(step, look_at(step.name), outputs.get(step.name))


def _told(step: AnyStep, look: Look, output: Any) -> OwnFinding:
    def finding(how: str) -> Finding:
        return Finding(how, look.step, look.reason)

    if not look.is_done:
        return OwnFinding(step.name, step.summary, finding(look.how))
    values = read_output(step.output_type, output)
    if values is None:
        return OwnFinding(step.name, step.summary, finding("unreadable"))
    if not values or all(value.is_empty for value in values):
        return OwnFinding(step.name, step.summary, finding("nothing"), values)
    return OwnFinding(step.name, step.summary, finding(FOUND), values)
