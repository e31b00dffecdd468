"""What own steps found, as columns of an export: `step.field`."""

from collections.abc import Sequence
from typing import Any

from imaginem.ports.own_outputs.fields import Kind
from imaginem.ports.own_outputs.values import FieldValue
from imaginem.usecases.findings import FOUND
from imaginem.usecases.own_outputs import OwnFinding, OwnOutputs


def add_own_columns(
    rows: Sequence[dict[str, Any]], found: Sequence[Sequence[OwnFinding]], own: OwnOutputs
) -> None:
    """Add a column for each field of each own step that any row's photo was sent through.

    Steps come by name, their fields in the order of the model. Where a step did not look, its
    columns are named in `not_looked_for`.

    Args:
        rows: of the export.
        found: by own steps, for each row.
        own: knows the fields.
    """
    fields = own.shown_fields()
    asked = sorted({finding.step for findings in found for finding in findings})
    for row, findings in zip(rows, found, strict=True):
        by_step = {finding.step: finding for finding in findings}
        for step in asked:
            finding = by_step.get(step)
            looked = finding is not None and finding.finding.how in (FOUND, "nothing")
            values = {value.field.name: value for value in finding.values} if finding else {}
            for field in fields[step]:
                column = f"{step}.{field.name}"
                row[column] = cell_of(values[field.name]) if field.name in values else None
                if not looked:
                    row["not_looked_for"] = [*row["not_looked_for"], column]


def cell_of(value: FieldValue) -> Any:
    """Return a value as JSON, without what is never shown."""
    if value.left_out:
        return value.text
    if value.field.kind is Kind.OBJECTS and isinstance(value.value, list):
        return [{cell.field.name: cell_of(cell) for cell in row} for row in value.rows]
    return value.value
