"""Draws charts of bench-results.json: `draw_charts.py RESULTS FOLDER`; prints the files as JSON."""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # there is no screen
from matplotlib import pyplot

_OURS, _OTHERS = "#b3261e", "#5b6b7a"
_SIZE, _DPI = (6.4, 2.8), 100
_LABELS = {"bare": "bare loop", "pipeline": "pipeline", "baseline": "earlier commit"}


def throughput(results: list[dict[str, Any]]) -> Any:
    """Draw images a second of the pipeline, the bare loop and an earlier commit."""
    rows = [row for row in results if row["key"] in _LABELS]
    labels = [_LABELS[row["key"]] for row in rows]
    return _bars(labels, [row["value"] for row in rows], "images a second", "pipeline")


def time_of_a_photo(results: list[dict[str, Any]]) -> Any:
    """Draw where the time of a photo goes."""
    rows = _of(results, "share")
    labels = [row["label"] for row in rows]
    return _bars(labels, [row["value"] * 100 for row in rows], "% of a photo's time", "")


def trivial_steps(results: list[dict[str, Any]]) -> Any:
    """Draw jobs a second of seven trivial steps."""
    rows = _of(results, "trivial")
    labels = [row["label"] for row in rows]
    ours = "fused" if "fused" in labels else "one step a delivery"
    return _bars(labels, [row["value"] for row in rows], "jobs a second", ours)


def operations(results: list[dict[str, Any]]) -> Any:
    """Draw storage operations of a photo."""
    rows = _of(results, "operations")
    labels = [row["label"] for row in rows]
    ours = "fused" if "fused" in labels else "one step a delivery"
    return _bars(labels, [row["value"] for row in rows], "storage operations a photo", ours)


def search(results: list[dict[str, Any]]) -> Any:
    """Draw recall against the 95th percentile of a search; the legend tells the memory."""
    rows = _of(results, "search")
    if not rows:
        return None
    figure, axes = pyplot.subplots(figsize=_SIZE)
    for row, marker in zip(rows, "osD^v", strict=False):
        more, color = row["more"], _OURS if row["label"] == "Imaginem" else _OTHERS
        label = f"{row['label']}, {more['megabytes']:.0f} MB"
        place = more["p95_milliseconds"], more["recall"]
        axes.scatter(*place, color=color, marker=marker, label=label, s=60)
    axes.set_xscale("log")
    axes.margins(0.1)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8, frameon=False)
    axes.set_xlabel("95th percentile of a search, ms")
    axes.set_ylabel("recall")
    return figure


def texts(results: list[dict[str, Any]]) -> Any:
    """Draw how many words are read right, and the images a second."""
    return _answers(results, "rivals texts", "words_right", "words", "words right, %")


def faces(results: list[dict[str, Any]]) -> Any:
    """Draw how many pairs of faces are told right, and the images a second."""
    return _answers(results, "rivals faces", "pairs_right", "pairs", "pairs right, %")


def _answers(results: list[dict[str, Any]], key: str, right: str, of: str, label: str) -> Any:
    rows = _of(results, key)
    if not rows:
        return None
    figure, axes = pyplot.subplots(1, 2, figsize=_SIZE)
    names = [row["label"] for row in rows]
    shares = [100 * row["more"][right] / row["more"][of] for row in rows]
    _fill(axes[0], names, shares, label, "Imaginem")
    _fill(axes[1], names, [row["value"] for row in rows], "images/s, one core", "Imaginem")
    axes[1].set_yticklabels([])
    return figure


def _of(results: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    return [row for row in results if row["key"] == key and row["value"] is not None]


def _bars(labels: list[str], values: list[float], what: str, ours: str) -> Any:
    if not labels:
        return None
    figure, axes = pyplot.subplots(figsize=(_SIZE[0], 0.7 + 0.4 * len(labels)))
    _fill(axes, labels, values, what, ours)
    return figure


def _fill(axes: Any, labels: list[str], values: list[float], what: str, ours: str) -> None:
    colors = [_OURS if label == ours else _OTHERS for label in labels]
    bars = axes.barh(labels, values, color=colors)
    axes.bar_label(bars, [f"{value:.3g}" for value in values], padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlabel(what)
    axes.spines[["top", "right"]].set_visible(False)


CHARTS = (throughput, time_of_a_photo, trivial_steps, operations, search, texts, faces)


def main(source: Path, folder: Path) -> None:
    """Draw each chart whose figures were measured."""
    results = json.loads(source.read_text("utf-8"))["results"]
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for draw in CHARTS:
        figure = draw(results)
        if figure is None:
            continue
        path = folder / f"{draw.__name__.replace('_', '-')}.png"
        figure.savefig(path, dpi=_DPI, bbox_inches="tight", metadata={"Software": None})
        drawn.append(str(path))
    print(json.dumps(drawn))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
