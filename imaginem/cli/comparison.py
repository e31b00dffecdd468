"""What changed in the outputs of jobs that were run again, as a table."""

from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from imaginem.cli.shared import out
from imaginem.ports.categories import category_title
from imaginem.runtime import Runtime
from imaginem.usecases.access import EVERYTHING
from imaginem.usecases.compare import Change, Value
from imaginem.usecases.rerun import Comparison, comparison_of

_COLORS = {"+": "green", "-": "red", "~": "yellow"}


def comparisons(runtime: Runtime, batch: str, ids: Sequence[str]) -> list[Comparison]:
    """Return what changed in these jobs, as far as they were run again."""
    found = (comparison_of(runtime, (batch, job_id), EVERYTHING) for job_id in ids)
    return [comparison for comparison in found if comparison is not None]


def show_comparisons(runtime: Runtime, batch: str, ids: Sequence[str]) -> None:
    """Print what changed in these jobs."""
    compared = comparisons(runtime, batch, ids)
    for comparison in compared:
        lines = (f"{comparison.job_id}: from {comparison.from_step}{_engines(comparison)}",)
        out.print(*lines, markup=False, highlight=False, soft_wrap=True)
        if comparison.changes:
            out.print(_table(comparison))
        else:
            out.print("  nothing changed")
    if not compared:
        out.print("there is nothing to compare: no job was run again, or none has ended since")


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison for programs."""
    changes = {
        step: [{"sign": change.sign, **vars(change)} for change in changed]
        for step, changed in comparison.changes.items()
    }
    return {**vars(comparison), "engines": dict(comparison.engines), "changes": changes}


def _engines(comparison: Comparison) -> str:
    chosen = ", ".join(f"{kind}={name}" for kind, name in comparison.engines.items())
    return f" with {chosen}" if chosen else ""


def _table(comparison: Comparison) -> Table:
    table = Table("step", "", "what", "name", "before", "now", box=None, padding=(0, 1))
    for column, width in zip(table.columns, (8, 1, 5, 12, 6, 6), strict=True):
        column.overflow, column.min_width = "fold", width
    for step, changes in comparison.changes.items():
        for number, change in enumerate(changes):
            color = _COLORS[change.sign]
            table.add_row(
                escape(step) if number == 0 else "",
                f"[{color}]{change.sign}[/]",
                change.what,
                escape(_name(change)),
                *_values(change),
            )
    return table


def _name(change: Change) -> str:
    return category_title(change.name) if change.what == "category" else change.name


def _values(change: Change) -> tuple[str, str]:
    """Return before and now; a line or a face is its own name, so a tick is enough."""
    if change.what in ("line", "face"):
        return "" if change.before is None else "was", "" if change.after is None else "is"
    if change.what == "output":  # a step that failed did not find nothing
        return _shown(change.before or "no output"), _shown(change.after or "no output")
    return _shown(change.before), _shown(change.after)


def _shown(value: Value) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else escape(str(value))
