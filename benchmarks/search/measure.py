"""Search among many faces: our index through its port, against four others.

`VECTORS=1000000` searches a million; the graphs then take an hour to build.
"""

import sys
import tempfile
from pathlib import Path

from benchmarks.options import Options, read_options
from benchmarks.result import Result, missing
from benchmarks.rivals.environment import Missing, last_json, run_script
from benchmarks.search.crowd import write_crowd

_QUERIES = 200
_RIVALS = {"usearch": "usearch", "hnswlib": "hnswlib", "faiss": "faiss HNSW"} | {
    "pgvector": "pgvector HNSW"
}
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_MOST_MILLISECONDS, _LEAST_RECALL, _MOST_MEGABYTES = 25.0, 0.999, 700.0


def run(options: Options | None = None) -> list[Result]:
    """Return a row for each index, ours first."""
    options = options or read_options()
    with tempfile.TemporaryDirectory() as name:
        folder, rounds = Path(name), str(options.rounds)
        write_crowd(folder, options.vectors, _QUERIES)
        command = [sys.executable, "-m", "benchmarks.search.ours", name, rounds]
        results = [_row("Imaginem", last_json(command, _ONE_THREAD), options.vectors)]
        for rival, label in _RIVALS.items():
            try:
                figures = run_script("search_rival", rival, str(folder), rounds)
            except Missing as reason:
                results.append(missing(f"search among {options.vectors:,}: {label}", str(reason)))
            else:
                results.append(_row(label, figures, options.vectors))
    return results


def _row(label: str, figures: dict[str, float], faces: int) -> Result:
    p95, recall, megabytes = (figures[name] for name in ("p95_milliseconds", "recall", "megabytes"))
    shown = (
        f"recall {recall:.4f}; p50 {figures['p50_milliseconds']:.2f}, p95 {p95:.2f} ms; "
        f"{megabytes:.0f} MB; built in {figures['build_seconds']:.1f} s; {_deletion(figures)}"
    )
    name = f"search among {faces:,}: {label}"
    if label != "Imaginem":
        return Result(name, p95, shown, key="search", label=label, more=figures)
    kept = (
        p95 <= _MOST_MILLISECONDS
        and recall >= _LEAST_RECALL
        and megabytes <= _MOST_MEGABYTES
        and bool(figures["deleted_at_once"])
    )
    budget = f"p95 <= {_MOST_MILLISECONDS:.0f} ms, recall >= {_LEAST_RECALL}, <= 700 MB"
    return Result(name, p95, shown, budget, kept, key="search", label=label, more=figures)


def _deletion(figures: dict[str, float]) -> str:
    if "delete_milliseconds" not in figures:
        return "can't delete"
    effect = "gone at once" if figures["deleted_at_once"] else "STILL FOUND afterwards"
    return f"delete {figures['delete_milliseconds']:.2f} ms, {effect}"
