"""Run the measurements (all, or those named), print a table, write bench-results.json."""

import argparse
import importlib
import json
import os
import platform
import sys
from dataclasses import asdict, replace
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.baseline import check_commit
from benchmarks.options import read_options
from benchmarks.result import Result, missing
from imaginem.errors import ConfigurationError

PARTS = {
    "step_execution": "benchmarks.step_execution",
    "cost": "benchmarks.cost",
    "thousand": "benchmarks.thousand",
    "fused_runs": "benchmarks.fused_runs",
    "operations": "benchmarks.operations",
    "imports": "benchmarks.imports",
    "accuracy": "benchmarks.accuracy",
    "grid": "benchmarks.grid",
    "labels": "benchmarks.labels",
    "scripts": "benchmarks.scripts.measure",
    "numbers": "benchmarks.scripts.numbers",
    "trivial": "benchmarks.trivial.measure",
    "throughput": "benchmarks.throughput",
    "rivals": "benchmarks.rivals.photos",
    "search": "benchmarks.search.measure",
    "faces": "benchmarks.faces",
    "text_search": "benchmarks.text_search",
    "dashboard": "benchmarks.dashboard",
    "pages": "benchmarks.pages",
    "quota": "benchmarks.quota",
}
"""The module of each part, in the order in which they are run; each has a function `run`."""
_RESULTS = Path("bench-results.json")


def main(words: list[str]) -> int:
    """Measure; return 1 when a budget is missed, 2 when an option is wrong."""
    arguments = _parse(words)
    console = Console()
    try:
        options = read_options()
        if options.baseline:
            check_commit(options.baseline)
    except (ValueError, RuntimeError) as problem:
        console.print(f"[red]{problem}[/]")
        return 2
    results: list[Result] = []
    report = {"machine": describe_machine(), "options": asdict(options)}
    for name in arguments.parts or PARTS:
        with console.status(f"measuring: {name}"):
            results += measure_part(name, PARTS[name], console)
        written = [asdict(result) for result in results]
        text = json.dumps({**report, "results": written}, indent=2)
        _RESULTS.write_text(f"{text}\n", "utf-8")  # after each part: what comes next may be cut off
    console.print(_table(results), report["machine"], f"written to {_RESULTS}", sep="\n")
    if arguments.charts:
        _draw(arguments.charts, console)
    return int(any(result.kept is False for result in results))


def measure_part(name: str, module: str, console: Console) -> list[Result]:
    """Return the results of a part; one that breaks does not take the others with it."""
    try:
        measured: list[Result] = importlib.import_module(module).run()
    except ConfigurationError as problem:  # it says what to do
        return [replace(missing(name, str(problem)), kept=False)]
    except Exception as problem:
        console.print_exception()
        return [replace(missing(name, f"{type(problem).__name__}: {problem}"), kept=False)]
    return measured


def _parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("benchmarks", description="Measures, and draws charts.")
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--charts", metavar="FOLDER", help="writes charts as PNG into it")
    arguments = parser.parse_args(words)
    if unknown := [name for name in arguments.parts if name not in PARTS]:
        parser.error(f"there is no part {unknown[0]}; there are {', '.join(PARTS)}")
    return arguments


def describe_machine() -> str:
    """Return processor, cores, memory, load and versions: what the figures were measured on."""
    names = [
        line.partition(":")[2].strip()
        for line in _processor_lines()
        if line.startswith("model name")
    ]
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB, "
        f"load {os.getloadavg()[0]:.1f}; {platform.system()}, Python {platform.python_version()}"
    )


def _processor_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text("utf-8").splitlines() if path.is_file() else []


def _table(results: list[Result]) -> Table:
    table = Table("what", "measured", "budget", "")
    for result in results:
        mark = {True: "[green]kept[/]", False: "[red]missed[/]", None: ""}[result.kept]
        table.add_row(result.name, result.shown, result.budget, mark)
    return table


def _draw(folder: str, console: Console) -> None:
    """Draw charts of the results that were written."""
    from benchmarks.rivals.environment import Missing, run_script

    try:
        for path in run_script("draw_charts", str(_RESULTS.absolute()), folder):
            console.print(f"drawn: {path}")
    except Missing as reason:
        console.print(f"no charts: {reason}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
