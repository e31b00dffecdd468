"""Run the measurements (all, or those named), print a table, write bench-results.json."""

import json
import platform
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import (
    cost,
    dashboard,
    faces,
    fused_runs,
    imports,
    quota,
    step_execution,
    throughput,
)
from benchmarks.result import Result


def main() -> int:
    """Measure; return 1 when a budget is missed."""
    console = Console()
    results: list[Result] = []
    wanted = set(sys.argv[1:])
    for measure in (step_execution, fused_runs, cost, imports, dashboard, quota, throughput, faces):
        name = measure.__name__.rpartition(".")[2]
        if wanted and name not in wanted:
            continue
        with console.status(f"measuring: {name}"):
            results += measure.run()
    table = Table("what", "measured", "budget", "")
    for result in results:
        mark = {True: "[green]kept[/]", False: "[red]missed[/]", None: ""}[result.kept]
        table.add_row(result.name, result.shown, result.budget, mark)
    console.print(table)
    report = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "results": [vars(result) for result in results],
    }
    Path("bench-results.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    console.print("written to bench-results.json")
    return int(any(result.kept is False for result in results))


if __name__ == "__main__":
    sys.exit(main())
