"""What a photo's page shows of own steps: a section each, and boxes on the photo."""

from collections.abc import Sequence
from dataclasses import dataclass

from imaginem.ports.own_outputs.fields import Kind, OutputField
from imaginem.ports.own_outputs.index import scored_by
from imaginem.ports.own_outputs.values import FieldValue, MarkedBox
from imaginem.usecases.own_outputs import OwnFinding

_PAGE = "page"
"""Field of an entry that says on which page of the photo's file it is."""


@dataclass(frozen=True)
class OwnRow:
    """An entry of a list of objects.

    Attributes:
        cells: of its columns.
        tag: by which photos like this are found; empty if that is nothing.
        box: its number among the step's boxes; 0 if it has none.
        page: of the photo's file that it is on; None if that has one.
    """

    cells: Sequence[FieldValue]
    tag: str
    box: int
    page: int | None


@dataclass(frozen=True)
class OwnField:
    """A field of a step's output.

    Attributes:
        rows: of a list of objects.
        box: number of its own box; 0 if it has none.
        columns: of a list of objects, without those in which no entry says anything.
    """

    shown: FieldValue
    rows: Sequence[OwnRow]
    box: int
    columns: Sequence[OutputField] = ()


@dataclass(frozen=True)
class OwnSection:
    """What one step found.

    Attributes:
        layer: name of the layer with its boxes.
        boxes: on all pages; their numbers begin at 1.
        untold: titles of the fields that the step left empty.
    """

    found: OwnFinding
    layer: str
    fields: Sequence[OwnField]
    boxes: Sequence[MarkedBox]
    untold: Sequence[str]


def sections_of(found: Sequence[OwnFinding]) -> list[OwnSection]:
    """Return the sections of a page."""
    return [_section(finding) for finding in found]


def _section(finding: OwnFinding) -> OwnSection:
    boxes: list[MarkedBox] = []
    told = [_field(value, boxes) for value in finding.values if value.is_told]
    left = [value.field for value in finding.values if not value.is_told]
    untold = [field.title for field in left if not field.quiet]
    return OwnSection(finding, f"own-{finding.step}", told, boxes, untold)


def _field(value: FieldValue, boxes: list[MarkedBox]) -> OwnField:
    """Return a field, and number its boxes after those that are there."""
    if not value.rows:
        return OwnField(value, (), _numbered(next(iter(value.boxes), None), boxes))
    told = {cell.field.name for row in value.rows for cell in row if not cell.is_empty}
    columns = [each for each in value.field.columns if each.name in told and _has_column(each)]
    names = {each.name for each in columns}
    rows = [
        OwnRow(
            [cell for cell in row if cell.field.name in names],
            _tag(value.field, row),
            _numbered(box, boxes),
            next((cell.value for cell in row if cell.field.name == _PAGE), None),
        )
        for row, box in zip(value.rows, value.boxes, strict=True)
    ]
    return OwnField(value, rows, 0, columns)


def _tag(field: OutputField, row: Sequence[FieldValue]) -> str:
    """Return the text of an entry that is a tag of the photo."""
    texts = [cell for cell in row if cell.field.kind is Kind.TEXT]
    is_tag = texts and field.searchable and texts[0].field.searchable and scored_by(field)
    return texts[0].text if is_tag else ""


def _has_column(field: OutputField) -> bool:
    """Tell whether a column is written: places are on the photo, pages beside the first column."""
    return field.kind is not Kind.BOX and field.name != _PAGE


def _numbered(box: MarkedBox | None, boxes: list[MarkedBox]) -> int:
    if box is None:
        return 0
    boxes.append(box)
    return len(boxes)
