"""What a model says of a photo, as its card tells how to ask and how to read the answer."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaginem.engines.dignity import is_refused
from imaginem.engines.local.suppression import suppress
from imaginem.engines.onnx.decoding import (
    PROBABILITIES,
    Candidates,
    UnexpectedShape,
    decoded,
    output_names,
)
from imaginem.engines.onnx.network import OnnxNetwork, Tensor
from imaginem.engines.onnx.pictures import Fitted, fit, tensor
from imaginem.errors import ConfigurationError, PermanentError
from imaginem.images.decoding import Photo
from imaginem.outputs import Box, ModelObject, ModelTag
from imaginem.ports.model_card import ClassifierCard, DetectorCard, MetadataLabels

Array = NDArray[Any]
AnyCard = ClassifierCard | DetectorCard
_MOST_LABELS = 1_000_000


def labels_of(card: AnyCard, network: OnnxNetwork, file: Path | None) -> list[str]:
    """Return a card's labels; one that is never told is "".

    Args:
        card: with the labels, or where they are.
        network: whose file may have them.
        file: of labels, if the card names one: a text a line, or JSON.

    Raises:
        ConfigurationError: the file's metadata lack them, or the file of labels can't be read.
    """
    if isinstance(card.labels, MetadataLabels):
        key = card.labels.metadata
        if key not in network.metadata:
            there = ", ".join(network.metadata) or "none"
            raise ConfigurationError(
                f"{card.name}: labels.metadata is {key}, and the ONNX file has: {there}"
            )
        labels = network.metadata[key].splitlines()
    elif file is None:
        labels = list(card.labels) if isinstance(card.labels, list) else []
    else:
        labels = _read_labels(card, file)
    return ["" if is_refused(label) else label for label in (text.strip() for text in labels)]


def _read_labels(card: AnyCard, file: Path) -> list[str]:
    try:
        text = file.read_text("utf-8")
        found = json.loads(text) if file.suffix == ".json" else text.splitlines()
        if isinstance(found, dict):
            found = _by_number({int(key): label for key, label in found.items()})
    except (ValueError, RecursionError):
        found = None
    if not (isinstance(found, list) and all(isinstance(label, str) for label in found)):
        raise ConfigurationError(
            f"{card.name}: labels: {file.name} must have a text a line, in UTF-8, or be JSON: a "
            'list of texts, or like {"0": "cat"}'
        )
    return found


def _by_number(labels: dict[int, Any]) -> list[Any] | None:
    """Return labels in the order of their classes; those of numbers that are missing are ""."""
    if not labels or min(labels) < 0 or max(labels) >= _MOST_LABELS:
        return None
    return [labels.get(number, "") for number in range(max(labels) + 1)]


def input_tensor(card: AnyCard, network: OnnxNetwork) -> Tensor:
    """Return the input that a card means.

    Raises:
        ConfigurationError: there is none of that name, or several and none is named.
    """
    return _chosen(card, "input.name", card.input.name, network.input_tensors)


def output_tensor(card: AnyCard, field: str, name: str, network: OnnxNetwork) -> Tensor:
    """Return the output that a field of a card means; errors as of `input_tensor`."""
    return _chosen(card, field, name, network.output_tensors)


def _chosen(card: AnyCard, field: str, name: str, tensors: list[Tensor]) -> Tensor:
    by_name = {each.name: each for each in tensors}
    there = ", ".join(map(str, tensors))
    if name and name not in by_name:
        raise ConfigurationError(f"{card.name}: {field} is {name}, and the ONNX file has: {there}")
    if not name and len(tensors) != 1:
        raise ConfigurationError(
            f"{card.name}: {field} must say which of these the card means: {there}"
        )
    return by_name[name] if name else tensors[0]


def tags_of(
    card: ClassifierCard, network: OnnxNetwork, labels: list[str], photo: Photo
) -> list[ModelTag]:
    """Return what a classifier says of a photo, surest first.

    Raises:
        ConfigurationError: the answer does not have a number for each label.
        PermanentError: it has NaN: the network says nothing of this photo.
    """
    _, values = _asked(card, network, photo, [card.output] if card.output else [])
    answer = np.asarray(values[0], np.float32).reshape(-1)
    if len(answer) != len(labels):
        raise ConfigurationError(
            f"{card.name}: labels has {len(labels)} texts, and the network answers with "
            f"{len(answer)} numbers"
        )
    with np.errstate(invalid="ignore"):
        shares = PROBABILITIES[card.scores](answer)
    _check_numbers(card, np.isfinite(shares))
    return [
        ModelTag(name=labels[index], confidence=_confidence(shares[index]))
        for index in np.argsort(-shares, kind="stable")[: card.most]
        if shares[index] >= card.threshold and labels[index]
    ]


def objects_of(
    card: DetectorCard, network: OnnxNetwork, labels: list[str], photo: Photo
) -> list[ModelObject]:
    """Return what a detector finds in a photo, surest first.

    Raises:
        ConfigurationError: the answer is not of the kind that the card names.
        PermanentError: it has NaN: the network does not say what is in this photo.
    """
    fitted, values = _asked(card, network, photo, output_names(card))
    try:
        found = decoded(card, values, len(labels))
    except (UnexpectedShape, ValueError) as problem:
        raise ConfigurationError(
            f"{card.name}: output.kind is {card.output.kind}, and the network answers "
            f"otherwise: {problem}"
        ) from None
    _check_numbers(card, np.isfinite(found.scores))
    kept = _surest(card, found, labels)
    boxes = fitted.in_photo(found.boxes)
    objects = [
        ModelObject(
            name=labels[label],
            confidence=_confidence(found.scores[index, label]),
            rectangle=box,
        )
        for index, label in kept
        if (box := _box(boxes[index], photo)) is not None
    ]
    return objects[: card.most]


def _surest(card: DetectorCard, found: Candidates, labels: list[str]) -> list[tuple[int, int]]:
    """Return the rows and labels of what is told, surest first."""
    kept: list[tuple[int, int]] = []
    for label, name in enumerate(labels):
        scores = found.scores[:, label]
        likely = np.flatnonzero(scores >= card.threshold)
        if not name or not len(likely):
            continue
        if card.overlap is not None:
            likely = likely[suppress(found.boxes[likely], scores[likely], card.overlap)]
        kept += [(int(index), label) for index in likely]
    return sorted(kept, key=lambda row: -found.scores[row])


def _asked(
    card: AnyCard, network: OnnxNetwork, photo: Photo, outputs: list[str]
) -> tuple[Fitted, list[Array]]:
    """Return the photo as the network saw it, and what it answers."""
    wanted = input_tensor(card, network)
    fitted = fit(photo.pil, card.input)
    try:
        values = network.run(
            {wanted.name: tensor(fitted.picture, card.input, wanted.dtype)}, *outputs
        )
    except (MemoryError, OSError):
        raise
    except Exception as problem:  # onnxruntime has a class for each of its reasons
        first = str(problem).partition("\n")[0]
        raise ConfigurationError(
            f"{card.name}: the network refuses its input, which is {wanted}: {first}"
        ) from None
    for value in values:
        _check_numbers(card, ~np.isnan(value))
    return fitted, values


def _check_numbers(card: AnyCard, is_number: Array) -> None:
    """Check that all are numbers: no score is above NaN, so it would read "nothing found"."""
    if not is_number.all():
        raise PermanentError(
            f"{card.name}: {np.count_nonzero(~is_number)} of {is_number.size} numbers in the "
            "network's answer are NaN or infinite, so it says nothing of this photo: check "
            "input.divisor, mean and std in the card, or export the model as float32"
        )


def _confidence(score: Any) -> float:
    return round(min(max(float(score), 0.0), 1.0), 4)


def _box(corners: Array, photo: Photo) -> Box | None:
    """Return a box within the photo; None if nothing of it is."""
    limits = np.array([photo.width, photo.height] * 2)
    left, top, right, bottom = (round(float(side)) for side in np.clip(corners, 0, limits))
    if right <= left or bottom <= top:
        return None
    return Box(x=left, y=top, w=right - left, h=bottom - top)
