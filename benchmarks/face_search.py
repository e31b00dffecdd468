"""Searching many faces: time, recall, memory, building and deleting; GALLERIES says how many.

`GALLERIES=10000,1000000 make bench ARGS=faces`. All is measured in processes of their own that
compute with one thread, through the port that the pipeline uses. Where other programs take the
processors, look at the time of computing.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gallery import MODEL, POSSIBLE, Floats, Gallery, fill
from benchmarks.options import read_options
from benchmarks.result import Result

_MILLION = 1_000_000
_PROCESSES = 3
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_LIMIT = 40
_ALL = 100_000


def run(real: Floats | None = None) -> list[Result]:
    """Measure galleries of made-up persons, and one of mixtures of real faces.

    Args:
        real: embeddings of real faces.
    """
    sizes = read_options().galleries
    results = []
    for size in sizes:
        results += _measured(size, "made-up persons", None)
    if real is not None:
        results += _measured(min(max(sizes), _MILLION), "mixtures of real faces", real)
    return results


def _measured(size: int, what: str, real: Floats | None) -> list[Result]:
    with tempfile.TemporaryDirectory() as folder:
        gallery = fill(Path(folder), size, real)
        asked = Path(folder) / "queries.npy"
        np.save(asked, gallery.queries)
        built = _child("search", gallery, "1")
        found = _child("search", gallery, "200")
        together = _together(gallery)
        deleted = _child("delete", gallery, "20")
        matrix = _child("matrix", gallery, "20") if size <= _MILLION else {}
    judged = size == _MILLION and real is None  # strangers who are much alike take longer
    name = f"{size:,} {what}"
    return _results(name, judged, gallery, built, found, together, deleted, matrix)


def _results(
    name: str,
    judged: bool,
    gallery: Gallery,
    built: dict[str, Any],
    found: dict[str, Any],
    together: float,
    deleted: dict[str, Any],
    matrix: dict[str, Any],
) -> list[Result]:
    milliseconds = np.array(found["seconds"]) * 1000
    half, most = np.percentile(milliseconds, [50, 95]).tolist()
    busy = float(np.median(found["computed"])) * 1000
    recall = _recall(gallery, found["found"])

    def result(what: str, value: float, shown: str, budget: str = "", kept: bool = True) -> Result:
        return Result(
            f"{name}: {what}", value, shown, budget if judged else "-", kept if judged else None
        )

    results = [
        result(
            "search, p95",
            float(most),
            f"{most:.1f} ms (p50 {half:.1f}; computing: {busy:.1f})",
            "<= 25 ms",
            most <= 25,
        ),
        result(
            f"recall of {sum(map(len, gallery.right)):,} neighbours >= {POSSIBLE}",
            recall,
            f"{recall:.5f}",
            ">= 0.999",
            recall >= 0.999,
        ),
        result(
            f"memory of {_PROCESSES} processes",
            together,
            f"{together:.0f} MB",
            "<= 700 MB",
            together <= 700,
        ),
        result(
            "first search after a start",
            found["first"],
            f"{found['first']:.2f} s",
            "<= 2 s",
            found["first"] <= 2,
        ),
        Result(f"{name}: the file is made", built["first"], f"{built['first']:.1f} s"),
        Result(
            f"{name}: delete, then search",
            deleted["median"],
            f"{deleted['median'] * 1000:.0f} ms; found afterwards: {deleted['wrong']}",
            "0 found",
            deleted["wrong"] == 0,
        ),
    ]
    if matrix:
        slow, _ = np.percentile(np.array(matrix["seconds"]) * 1000, [50, 95]).tolist()
        shown = (
            f"{slow:.0f} ms, {matrix['memory']:.0f} MB in each process; "
            f"first: {matrix['first']:.1f} s"
        )
        results.append(Result(f"{name}: float32 matrix in memory instead, p50", float(slow), shown))
    return results


def _recall(gallery: Gallery, found: list[list[str]]) -> float:
    right = sum(len(each) for each in gallery.right)
    both = sum(
        len(set(ids) & {str(face_id) for face_id in known})
        for ids, known in zip(found, gallery.right, strict=False)
    )
    return both / right if right else 1.0


def _start(what: str, gallery: Gallery, count: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks.face_search", what, str(gallery.home), count]
    pipe = subprocess.PIPE
    environment = {**os.environ, **_ONE_THREAD}
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)


def _child(what: str, gallery: Gallery, count: str) -> dict[str, Any]:
    with _start(what, gallery, count) as process:
        text, _ = process.communicate("")
    answer: dict[str, Any] = json.loads(text)
    return answer


def _together(gallery: Gallery) -> float:
    """Return what searching adds to the memory of some processes that live at once, in MB."""
    processes = [_start("stay", gallery, "60") for _ in range(_PROCESSES)]
    before = [float(process.stdout.readline()) for process in processes if process.stdout]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("search\n")
        process.stdin.flush()
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    after = [_memory(process.pid) for process in processes]
    for process in processes:
        process.communicate("")
    return sum(after) - sum(before)


def _memory(pid: int | str = "self") -> float:
    """Return the proportional set size of a process in MB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise ValueError("this system does not tell")


def _serve(what: str, home: Path, count: int) -> None:
    """Do what the parent process asks for, and print it."""
    from imaginem.sql import Database, face_index_of
    from imaginem.sql.face_index import SqlFaceIndex
    from imaginem.sql.flat_index.matrix import MatrixSearch

    database, folder = Database("", home), home / "face-index"
    index = face_index_of(database, folder)
    if what == "matrix":
        matrix = MatrixSearch(database, 100 * _MILLION)
        index = SqlFaceIndex(database, lambda session: matrix, folder)
    queries = np.load(home / "queries.npy")
    before = _memory()
    if what == "stay":
        print(before, flush=True)
        sys.stdin.readline()

    def search(query: Floats, limit: int = _LIMIT) -> list[uuid.UUID]:
        found = index.nearest(MODEL, query.tobytes(), min_similarity=POSSIBLE, limit=limit)
        return [neighbor.face_id for neighbor in found]

    begun = time.perf_counter()
    search(queries[0])
    first = time.perf_counter() - begun
    if what == "delete":
        print(json.dumps(_delete(database, index, queries[:count], search)))
        return
    seconds, computed = [], []
    for query in queries[:count]:
        begun, used = time.perf_counter(), time.process_time()
        search(query)
        seconds.append(time.perf_counter() - begun)
        computed.append(time.process_time() - used)
    if what == "stay":
        print("searched", flush=True)
        sys.stdin.readline()
        return
    found = [[str(face) for face in search(query, _ALL)] for query in queries[:count]]
    answer = {
        "first": first,
        "seconds": seconds,
        "computed": computed,
        "found": found,
        "memory": _memory() - before,
    }
    print(json.dumps(answer))


def _delete(database: Any, index: Any, queries: Floats, search: Any) -> dict[str, Any]:
    """Remove the nearest face of each query, and search again."""
    from imaginem.sql import SqlErasedRuns, SqlGallery, SqlSuppressedFaces

    erased, suppressed = SqlErasedRuns(database), SqlSuppressedFaces(database)
    gallery = SqlGallery(database, index, erased, suppressed)
    seconds, wrong = [], 0
    for query in queries:
        found = search(query)
        if not found:
            continue
        begun = time.perf_counter()
        gallery.remove(found[:1])
        wrong += found[0] in search(query)
        seconds.append(time.perf_counter() - begun)
    return {"median": float(np.median(seconds)), "wrong": wrong}


if __name__ == "__main__":
    _serve(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
