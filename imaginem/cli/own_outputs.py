"""What own steps found, on the command line."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic_core import from_json
from rich import box
from rich.markup import escape
from rich.table import Table

from imaginem.errors import PermanentError
from imaginem.pipeline.offload import expand
from imaginem.pipeline.progress_row import ProgressRow
from imaginem.pipeline.steps import Registry
from imaginem.ports import Blobs, JobResult
from imaginem.ports.own_outputs.fields import OutputField
from imaginem.ports.own_outputs.values import FieldValue
from imaginem.usecases.looked import Looked
from imaginem.usecases.own_outputs import OwnFinding, OwnOutputs

_LONGEST = 160
_COLUMN = 14
"""Letters that a column has at least."""
_WORDS = {
    "nothing": "nothing found",
    Looked.NO_STEP: "not asked",
    Looked.UNSUCCESSFUL: "failed",
    Looked.NO_OUTPUT: "not known",
    "unreadable": "not readable: see --json",
}


def own_tables(results: Sequence[JobResult], registry: Registry, width: int) -> list[Table]:
    """Return a table for each own step that any of these photos was sent through.

    Args:
        results: of the photos.
        registry: of the steps.
        width: of the terminal: where it has too little for a column a field, each has a row.
    """
    own = OwnOutputs(registry)
    found = {
        result.id: {finding.step: finding for finding in own.of_result(result)}
        for result in results
    }
    asked = dict.fromkeys(step for by_step in found.values() for step in by_step)
    fields = own.shown_fields()
    return [
        _of_step(step, fields[step], {name: found[name].get(step) for name in found}, width)
        for step in asked
    ]


def _of_step(
    step: str,
    fields: Sequence[OutputField],
    photos: Mapping[str, OwnFinding | None],
    width: int,
) -> Table:
    told = {v.field for found in photos.values() if found for v in found.values if v.is_told}
    shown = [field for field in fields if not field.quiet or field in told]
    make = _table if _COLUMN * (len(shown) + 1) <= width else _list
    return make(step, shown, photos)


def row_table(row: ProgressRow, blobs: Blobs, registry: Registry) -> Table | None:
    """Return what the own steps of a job have found so far; None if nothing yet."""
    outputs = outputs_so_far(row, blobs, row.pipeline)
    table = Table("step", "field", "found", box=None, padding=(0, 1))
    for finding in OwnOutputs(registry).of_outputs(outputs):
        if not finding.values:
            table.add_row(finding.step, "", _word(finding))
        for number, value in enumerate(filter(_is_told, finding.values)):
            step = "" if number else finding.step
            table.add_row(step, escape(value.field.title), _cell(value))
    return table if table.row_count else None


def outputs_so_far(row: ProgressRow, blobs: Blobs, steps: Iterable[str]) -> dict[str, Any]:
    """Return the outputs that a job has so far of these steps; None for one that can't be read."""
    return {name: _output(row, name, blobs) for name in steps if row.output_of(name)}


def _table(
    step: str, fields: Sequence[OutputField], photos: Mapping[str, OwnFinding | None]
) -> Table:
    """Return a row a photo, a column a field."""
    table = Table(title=escape(step), box=box.SIMPLE_HEAD, padding=(0, 1))
    for title in ("photo", *(field.title for field in fields)):
        table.add_column(escape(title), overflow="fold")
    for job_id, finding in photos.items():
        cells = [_word(finding)]
        if finding is not None and finding.is_found:
            cells = [_cell(value) for value in finding.values if value.field in fields]
        table.add_row(escape(job_id), *cells)
    return table


def _list(step: str, _: Sequence[OutputField], photos: Mapping[str, OwnFinding | None]) -> Table:
    """Return a row a photo and field."""
    table = Table(title=escape(step), box=box.SIMPLE_HEAD, padding=(0, 1))
    for title in ("photo", "field", "found"):
        table.add_column(title, overflow="fold")
    for job_id, finding in photos.items():
        if finding is None or not finding.is_found:
            table.add_row(escape(job_id), "", _word(finding))
            continue
        for number, value in enumerate(filter(_is_told, finding.values)):
            title = escape(value.field.title)
            table.add_row("" if number else escape(job_id), title, _cell(value))
    return table


def _is_told(value: FieldValue) -> bool:
    return value.is_told


def _word(finding: OwnFinding | None) -> str:
    how = finding.finding.how if finding else Looked.NO_STEP
    return _WORDS.get(how, how)


def _output(row: ProgressRow, step: str, blobs: Blobs) -> Any:
    """Return a step's output; None, which fits no model, where it can't be read."""
    try:
        return expand(from_json(row.output_of(step)), row.key, blobs)
    except (ValueError, PermanentError):
        return None


def _cell(value: FieldValue) -> str:
    """Return a value on one line; `-` for nothing found, and empty where the step does not tell."""
    if not value.is_told:
        return ""
    text = " / ".join(value.text.splitlines())
    return escape(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…") or "-"
