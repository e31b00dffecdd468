"""Searches a crowd through `FaceIndex`: `python -m benchmarks.search.ours FOLDER ROUNDS`."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import psutil

from benchmarks.rivals.scripts.asking import asked
from benchmarks.search.crowd import LIMIT, MODEL, POSSIBLE, face_id, fill
from imaginem.config.settings import read_settings
from imaginem.runtime import Runtime


def main(folder: Path, rounds: int) -> None:
    """Fill a gallery, search it, remove a face; print the figures as JSON."""
    vectors, queries = (
        np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("vectors", "queries")
    )
    runtime = Runtime(read_settings({"IMAGINEM_HOME": str(folder / "home")}))
    rows = {str(face_id(row)): row for row in range(len(vectors))}
    fill(runtime.database, vectors)
    del vectors
    index, process = runtime.face_index, psutil.Process()
    before = process.memory_full_info().pss

    def search(query: np.ndarray) -> list[int]:
        found = index.nearest(MODEL, query.tobytes(), min_similarity=POSSIBLE, limit=LIMIT)
        return [rows[str(neighbor.face_id)] for neighbor in found]

    begun = time.perf_counter()
    search(queries[0])
    built = time.perf_counter() - begun
    figures = asked(folder, search, rounds)
    figures["megabytes"] = (process.memory_full_info().pss - before) / 2**20
    figures["build_seconds"] = built
    gone = search(queries[0])[0]
    begun = time.perf_counter()
    runtime.gallery.remove([face_id(gone)])
    figures["delete_milliseconds"] = (time.perf_counter() - begun) * 1000
    begun = time.perf_counter()
    figures["deleted_at_once"] = float(gone not in search(queries[0]))
    figures["search_after_delete_milliseconds"] = (time.perf_counter() - begun) * 1000
    runtime.database.close()
    print(json.dumps(figures))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
