"""Quarter turns: a picture turned upright, and what was found in it in the photo's own pixels.

Degrees are those by which a photo is turned clockwise to be upright: 0, 90, 180 or 270.
"""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from imaginem.outputs import Face, HeadPose, Point, Rectangle, TextLine, Turn, Word

Array = NDArray[Any]
WordT = TypeVar("WordT", bound=Word)

TURNS = (0, 90, 180, 270)


def turned(picture: Array, degrees: int) -> Array:
    """Return a picture, turned clockwise; the same one for 0 degrees.

    Args:
        picture: height x width, or height x width x channels.
        degrees: one of `TURNS`.
    """
    return np.ascontiguousarray(np.rot90(picture, -degrees // 90)) if degrees else picture


class WayBack:
    """Finds the places of an upright picture in the photo that it was turned from.

    Args:
        size: width and height of the photo, as it lies.
        degrees: that it was turned by.
    """

    def __init__(self, size: tuple[int, int], degrees: int) -> None:
        self._size, self._degrees = size, degrees

    def place(self, x: float, y: float, last: int = 1) -> tuple[float, float]:
        """Return x and y in the photo's pixels.

        Args:
            x: in the upright picture.
            y: in the upright picture.
            last: 1 for pixels, the first of which is 0 and the last width - 1; 0 for edges, of
                which there is one more.
        """
        right, bottom = self._size[0] - last, self._size[1] - last
        places = {
            0: (x, y),
            90: (y, bottom - x),
            180: (right - x, bottom - y),
            270: (right - y, x),
        }
        return places[self._degrees]

    def rectangle(self, where: Rectangle) -> Rectangle:
        """Return a rectangle in the photo's pixels."""
        one = self.place(where.left, where.top, last=0)
        other = self.place(where.left + where.width, where.top + where.height, last=0)
        (left, right), (top, bottom) = (
            sorted(map(round, pair)) for pair in zip(one, other, strict=True)
        )
        return Rectangle(left=left, top=top, width=right - left, height=bottom - top)

    def face(self, face: Face, turn: Turn) -> Face:
        """Return a face in the photo's pixels; its roll is that in the photo as it lies."""
        spots = {name: self._point(spot) for name, spot in face.face_landmarks.items()}
        attributes = face.face_attributes
        pose = attributes.head_pose and self._pose(attributes.head_pose)
        return face.model_copy(
            update={
                "face_rectangle": self.rectangle(face.face_rectangle),
                "face_landmarks": spots,
                "face_attributes": attributes.model_copy(update={"head_pose": pose}),
                "turn": turn,
            }
        )

    def line(self, line: TextLine) -> TextLine:
        """Return a line of text in the photo's pixels; its first corner is where it begins."""
        words = [self._polygon(word) for word in line.words]
        return self._polygon(line).model_copy(update={"words": words})

    def _point(self, spot: Point) -> Point:
        x, y = self.place(spot.x, spot.y)
        return Point(x=round(x, 1), y=round(y, 1))

    def _pose(self, pose: HeadPose) -> HeadPose:
        roll = (pose.roll - self._degrees + 180) % 360 - 180
        return pose.model_copy(update={"roll": round(roll, 1)})

    def _polygon(self, word: WordT) -> WordT:
        corners = zip(word.polygon[::2], word.polygon[1::2], strict=True)
        places = [round(value) for corner in corners for value in self.place(*corner)]
        return word.model_copy(update={"polygon": places})
