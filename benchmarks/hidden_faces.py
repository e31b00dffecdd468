"""Photos whose faces are hard to find: hidden, cut off, dark or poor in colours."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaginem.engines.local.landmarks import FIVE
from imaginem.outputs import Face

Array = NDArray[Any]
Hidden = tuple[Array, list[Array]]
"""A photo, and the boxes of its faces: left, top, right, bottom."""

_MASKS = ((120, 170, 210), (235, 235, 235), (25, 25, 30))  # red, green, blue


def box_of(face: Face) -> Array:
    """Return a face's left, top, right and bottom."""
    where = face.face_rectangle
    return np.array(
        [where.left, where.top, where.left + where.width, where.top + where.height], float
    )


def found(faces: Sequence[Face], box: Array) -> bool:
    """Return whether one of the faces is the one in this box."""
    return any(_overlap(box_of(face), box) > 0.4 for face in faces)


def masked(rgb: Array, faces: Sequence[Face], colour: tuple[int, int, int]) -> Array:
    """Return the photo with a mask over mouth and nose of each face."""
    picture = rgb.copy()
    for face in faces:
        points, across, down = _frame(face)
        eyes, nose = points[:2].mean(0), points[2]
        corners = [
            eyes + down * 0.45 - across * 0.95,
            nose - down * 0.12,
            eyes + down * 0.45 + across * 0.95,
            eyes + down * 1.2 + across * 0.9,
            eyes + down * 1.75 + across * 0.35,
            eyes + down * 1.75 - across * 0.35,
            eyes + down * 1.2 - across * 0.9,
        ]
        cv2.fillPoly(picture, [np.array(corners, np.int32)], colour, cv2.LINE_AA)
    return picture


def in_dark_glasses(rgb: Array, faces: Sequence[Face]) -> Array:
    """Return the photo with dark glasses on each face."""
    picture, colour = rgb.copy(), (15, 15, 15)
    for face in faces:
        points, _, _ = _frame(face)
        where = face.face_rectangle
        one, other = ([round(float(value)) for value in spot] for spot in points[:2])
        for eye in (one, other):
            size = (round(where.width * 0.2), round(where.height * 0.12))
            cv2.ellipse(picture, eye, size, 0, 0, 360, colour, -1, cv2.LINE_AA)
        cv2.line(picture, one, other, colour, max(2, round(where.height * 0.03)))
    return picture


def of_few_colours(rgb: Array, colours: int) -> Array:
    """Return the photo as a palette image shows it."""
    return np.asarray(Image.fromarray(rgb).quantize(colours).convert("RGB"))


def cut(rgb: Array, faces: Sequence[Face]) -> Iterator[Hidden]:
    """Yield the largest face, a fifth and two fifths of it cut off by each of the borders."""
    left, top, right, bottom = box = box_of(faces[0])
    for share in (0.2, 0.4):
        x, y = share * (right - left), share * (bottom - top)
        for side in (
            (left + x, 0, rgb.shape[1], rgb.shape[0]),
            (0, top + y, rgb.shape[1], rgb.shape[0]),
            (0, 0, right - x, rgb.shape[0]),
            (0, 0, rgb.shape[1], bottom - y),
        ):
            yield _part(rgb, box, np.array(side))


def filling(rgb: Array, faces: Sequence[Face]) -> Iterator[Hidden]:
    """Yield the largest face, larger than the photo: a third of its height lies outside."""
    left, top, right, bottom = box = box_of(faces[0])
    x, y, reach = (left + right) / 2, (top + bottom) / 2, (bottom - top) / 3
    yield _part(rgb, box, np.array([x - reach, y - reach, x + reach, y + reach]))


KINDS: dict[str, Callable[[Array, Sequence[Face]], Iterator[Hidden]]] = {
    "with masks": lambda rgb, faces: (
        (masked(rgb, faces, colour), [box_of(face) for face in faces]) for colour in _MASKS
    ),
    "with dark glasses": lambda rgb, faces: iter(
        [(in_dark_glasses(rgb, faces), [box_of(face) for face in faces])]
    ),
    "in a palette of 8 or 16 colours": lambda rgb, faces: (
        (of_few_colours(rgb, colours), [box_of(face) for face in faces]) for colours in (8, 16)
    ),
    "at a tenth of the light": lambda rgb, faces: iter(
        [((rgb * 0.1).astype(np.uint8), [box_of(face) for face in faces])]
    ),
    "cut off by a border": cut,
    "larger than the photo": filling,
}
"""What is done to photos, by what is then said of their faces."""


def _frame(face: Face) -> tuple[Array, Array, Array]:
    """Return the five points, a step from the middle to the side, and one from eyes to mouth."""
    spots = face.face_landmarks
    points = np.array([[spots[name].x, spots[name].y] for name in FIVE])
    across = points[1] - points[0]
    # In a profile the eyes lie close together, but the face is as wide.
    across *= max(1.0, face.face_rectangle.width * 0.3 / max(float(np.hypot(*across)), 1.0))
    return points, across, points[3:].mean(0) - points[:2].mean(0)


def _part(rgb: Array, box: Array, edges: Array) -> Hidden:
    """Return a part of a photo, and what of a box lies in it."""
    height, width = rgb.shape[:2]
    left, top, right, bottom = np.clip(edges, 0, (width, height, width, height)).astype(int)
    inside = np.clip(box - [left, top, left, top], 0, np.tile([right - left, bottom - top], 2))
    return np.ascontiguousarray(rgb[top:bottom, left:right]), [inside]


def _overlap(one: Array, other: Array) -> float:
    """Return the area that two boxes share, as a share of the area that they cover together."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    shared = float(np.maximum(sides, 0).prod())
    areas = [float((box[2:] - box[:2]).prod()) for box in (one, other)]
    return shared / (sum(areas) - shared)
