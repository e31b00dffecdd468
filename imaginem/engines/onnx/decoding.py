"""Answers of detectors: the kinds of tensors that cards name, as boxes, scores and classes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaginem.ports.model_card import (
    BoxesOutput,
    Corners,
    DetectorCard,
    InputSpec,
    PicodetOutput,
    RowsOutput,
    Unit,
    YoloOutput,
)

Array = NDArray[Any]


class UnexpectedShape(Exception):
    """A tensor does not have the shape that the card's kind of output has."""


@dataclass(frozen=True)
class Candidates:
    """What a network may have found.

    Attributes:
        boxes: n x 4: left, top, right, bottom in pixels of the input.
        scores: n x classes; 0 for a class that the network does not name.
    """

    boxes: Array
    scores: Array


def output_names(card: DetectorCard) -> list[str]:
    """Return the names of the outputs that a card reads; empty if there is but one."""
    output = card.output
    if isinstance(output, BoxesOutput):
        return [name for name in (output.boxes, output.scores, output.classes) if name]
    if isinstance(output, PicodetOutput):
        return [*output.scores, *output.boxes]
    return [output.name] if output.name else []


def decoded(card: DetectorCard, values: Sequence[Array], classes: int) -> Candidates:
    """Return what a network's answer says.

    Args:
        card: of the network.
        values: the outputs that `output_names` names, for one picture.
        classes: how many labels there are.

    Raises:
        UnexpectedShape: the answer is not of the card's kind; tells what was expected.
    """
    output = card.output
    if isinstance(output, BoxesOutput):
        return _of_boxes(output, card.input, values, classes)
    if isinstance(output, RowsOutput):
        return _of_rows(output, card.input, values[0], classes)
    if isinstance(output, YoloOutput):
        return _of_yolo(output, values[0], classes)
    return _of_picodet(output, card.input, values, classes)


def _flat(value: Array, columns: int, what: str) -> Array:
    """Return a tensor as n rows of so many numbers."""
    rows = np.asarray(value, np.float32)
    while rows.ndim > 2 and rows.shape[0] == 1:
        rows = rows[0]
    if rows.ndim != 2 or rows.shape[1] != columns:
        raise UnexpectedShape(f"{what} must be n x {columns}, and is {_shape(value)}")
    return rows


def _shape(value: Array) -> str:
    return " x ".join(map(str, value.shape))


def _corners(boxes: Array, corners: Corners, unit: Unit, spec: InputSpec) -> Array:
    """Return boxes as left, top, right, bottom in pixels of the input."""
    if unit == "share":
        sides = [spec.width, spec.height]
        boxes = boxes * np.array([*sides, *sides] if corners != "yxyx" else [*sides[::-1]] * 2)
    first, second = boxes[:, :2], boxes[:, 2:]
    if corners == "yxyx":
        return np.concatenate([first[:, ::-1], second[:, ::-1]], 1)
    if corners == "xywh":
        return np.concatenate([first, first + second], 1)
    if corners == "cxcywh":
        return np.concatenate([first - second / 2, first + second / 2], 1)
    return boxes


def _by_class(scores: Array, numbers: Array, classes: int) -> Array:
    """Return the scores of things with one class each, in the column of the class."""
    rows = np.zeros((len(scores), classes), np.float32)
    whole = np.rint(numbers).astype(int)
    known = (whole >= 0) & (whole < classes)
    rows[np.flatnonzero(known), whole[known]] = scores[known]
    return rows


def _of_boxes(
    output: BoxesOutput, spec: InputSpec, values: Sequence[Array], classes: int
) -> Candidates:
    boxes = _flat(values[0], 4, f"output.boxes ({output.boxes})")
    if output.classes:
        scores, numbers = (np.asarray(value, np.float32).reshape(-1) for value in values[1:])
        if not len(boxes) == len(scores) == len(numbers):
            raise UnexpectedShape(
                f"boxes, scores and classes must be as many, and are {len(boxes)}, {len(scores)} "
                f"and {len(numbers)}"
            )
        table = _by_class(scores, numbers, classes)
    else:
        table = _flat(values[1], classes, f"output.scores ({output.scores}), for {classes} labels,")
        if len(table) != len(boxes):
            raise UnexpectedShape(f"there are {len(boxes)} boxes and {len(table)} scores")
    return Candidates(_corners(boxes, output.corners, output.unit, spec), table)


def _of_rows(output: RowsOutput, spec: InputSpec, value: Array, classes: int) -> Candidates:
    rows = _flat(value, 6, "the output")
    boxes = _corners(rows[:, :4], output.corners, output.unit, spec)
    return Candidates(boxes, _by_class(rows[:, 4], rows[:, 5], classes))


def _of_yolo(output: YoloOutput, value: Array, classes: int) -> Candidates:
    first = 5 if output.objectness else 4
    columns = first + classes
    rows = np.asarray(value, np.float32)
    if rows.ndim == 3 and rows.shape[0] == 1 and rows.shape[1] == columns:
        rows = rows[0].T  # from YOLOv8 on, places are columns
    else:
        rows = _flat(value, columns, f"the output, for {classes} labels,")
    centre, half = rows[:, :2], rows[:, 2:4] / 2
    scores = rows[:, first:] * rows[:, 4:5] if output.objectness else rows[:, first:]
    return Candidates(np.concatenate([centre - half, centre + half], 1), scores)


def _of_picodet(
    output: PicodetOutput, spec: InputSpec, values: Sequence[Array], classes: int
) -> Candidates:
    boxes, scores = [], []
    grids = zip(output.scores, values, values[len(output.scores) :], output.strides, strict=False)
    for name, likely, distances, stride in grids:
        across, down = -(-spec.width // stride), -(-spec.height // stride)
        found = _flat(likely, classes, f"{name}, for {classes} labels,")
        sides = np.asarray(distances, np.float32).reshape(len(found), 4, -1)
        if len(found) != across * down:
            raise UnexpectedShape(
                f"{name} must have {across} x {down} places for its stride {stride}, and has "
                f"{len(found)}"
            )
        steps = np.arange(sides.shape[2], dtype=np.float32)
        far = (_softmax(sides) * steps).sum(2) * stride
        rows, columns = np.divmod(np.arange(len(found)), across)
        centre = (np.stack([columns, rows], 1) + 0.5) * stride
        boxes.append(np.concatenate([centre - far[:, :2], centre + far[:, 2:]], 1))
        scores.append(found)
    return Candidates(np.concatenate(boxes), np.concatenate(scores))


def _softmax(values: Array) -> Array:
    raised = np.exp(values - values.max(-1, keepdims=True))
    return np.asarray(raised / raised.sum(-1, keepdims=True))


def _sigmoid(values: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -60, 60))))


PROBABILITIES: dict[str, Callable[[Array], Array]] = {
    "probabilities": lambda values: values,
    "logits": _softmax,
    "independent": _sigmoid,
}
"""How a classifier's answer becomes probabilities, by `scores` of its card."""
