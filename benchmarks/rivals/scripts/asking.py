"""Asks an index for neighbours, and compares with the true ones; needs numpy alone."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def asked(folder: Path, search: Callable[[Any], list[int]], rounds: int) -> dict[str, float]:
    """Return recall, and the median and the 95th percentile of a search in milliseconds.

    Args:
        folder: has `queries.npy` and `truth.json`.
        search: returns the rows of the neighbours of an embedding.
        rounds: how often all queries are asked; the figures are medians of them.
    """
    queries = np.load(folder / "queries.npy")
    truth = json.loads((folder / "truth.json").read_text("utf-8"))
    answers = [search(query) for query in queries]
    found = sum(len(set(one) & set(true)) for one, true in zip(answers, truth, strict=True))
    taken = np.array([[_milliseconds(search, query) for query in queries] for _ in range(rounds)])
    return {
        "recall": found / max(sum(map(len, truth)), 1),
        "p50_milliseconds": float(np.median(np.percentile(taken, 50, axis=1))),
        "p95_milliseconds": float(np.median(np.percentile(taken, 95, axis=1))),
    }


def _milliseconds(search: Callable[[Any], list[int]], query: Any) -> float:
    begun = time.perf_counter()
    search(query)
    return (time.perf_counter() - begun) * 1000
