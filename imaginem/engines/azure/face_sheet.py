"""A sheet: several photos in one file for Azure Face, and whose each face of the answer is."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imaginem.engines.azure.limits import FACE, ServiceLimits, smallest_face
from imaginem.engines.azure.payload import Payload, as_payload, sized
from imaginem.engines.azure.reading import Fields, named
from imaginem.images.decoding import Photo
from imaginem.ports import FaceGrid

if TYPE_CHECKING:
    from PIL import Image

SHEET_SIDE = 2400
"""Most pixels of a sheet's side. A face is found from 80 pixels on in it, see `smallest_face`: in a
larger sheet it would be larger, and not easier to find."""
GUTTER = 32
"""Pixels between two photos: what is cut off at the edge of one is not joined to the other."""
_GROUND = (128, 128, 128)
_AS_ALONE = 1.1  # no more is not worth telling: sides of a cell are rounded
_LONGEST = 3
"""A photo whose longer side is more times its shorter one would be small in its cell."""
_OVER_A_SEAM = 0.1
"""Share of a face's area in a second photo from which it can't be told whose face it is."""
_OVER_A_PHOTO = 0.5
"""Share of a photo's area under a face from which the same holds, however large the face is."""
_logger = logging.getLogger("imaginem.engines.azure")


@dataclass(frozen=True)
class Cell:
    """Where a photo is in a sheet.

    Attributes:
        left: of the photo, in pixels of the sheet's file.
        top: the same.
        width: the same.
        height: the same.
        size: of the photo itself: width and height in its own pixels.
    """

    left: float
    top: float
    width: float
    height: float
    size: tuple[int, int]

    def x(self, value: float) -> float:
        """Return an x of the file as an x of the photo."""
        return (value - self.left) * self.size[0] / self.width

    def y(self, value: float) -> float:
        """Return a y of the file as a y of the photo."""
        return (value - self.top) * self.size[1] / self.height

    def holds(self, x: float, y: float) -> bool:
        """Tell whether a point of the file is in the photo, not in a gutter."""
        across, down = x - self.left, y - self.top
        return 0 <= across < self.width and 0 <= down < self.height

    def is_touched(self, box: Sequence[float]) -> bool:
        """Tell whether a box lies over so much of the photo that its face may be in it.

        Args:
            box: left, top, right and bottom, in pixels of the file; it has an area.
        """
        left, top, right, bottom = box
        across = min(right, self.left + self.width) - max(left, self.left)
        down = min(bottom, self.top + self.height) - max(top, self.top)
        shared = max(across, 0) * max(down, 0)
        if shared > _OVER_A_SEAM * (right - left) * (bottom - top):
            return True
        return shared > _OVER_A_PHOTO * self.width * self.height

    def shrunk(self, across: float, down: float) -> "Cell":
        """Return the cell in a file of which each pixel is so many pixels of the sheet."""
        return Cell(
            self.left / across, self.top / down, self.width / across, self.height / down, self.size
        )


@dataclass(frozen=True)
class InCell:
    """A photo as it is put into a cell.

    Attributes:
        picture: the photo, no larger than the cell.
        size: of the photo itself: width and height in its own pixels.
    """

    picture: "Image.Image"
    size: tuple[int, int]


def in_cell(photo: Photo, grid: FaceGrid) -> InCell | None:
    """Return a photo as it is put into a cell; None if it is to be looked at alone.

    It is scaled down, never up. One that is long and narrow, or smaller than the service takes,
    is not put into a cell.
    """
    shorter, longer = sorted((photo.width, photo.height))
    if longer > shorter * _LONGEST or shorter < FACE.min_side:
        return None
    scale = min(1.0, cell_side(grid) / longer)
    return InCell(sized(photo.pil, scale), (photo.width, photo.height))


def cell_side(grid: FaceGrid) -> int:
    """Return the most pixels of a photo's side in a grid."""
    most = max(grid.columns, grid.rows)
    return (SHEET_SIDE - GUTTER * (most - 1)) // most


@dataclass(frozen=True)
class Sheet:
    """Several photos in one file.

    Attributes:
        sent: the file.
        cells: where each photo is in the file.
    """

    sent: Payload
    cells: Sequence[Cell]

    def smallest(self, cell: Cell) -> int | None:
        """Return the pixels of a cell's photo that a face needs; None if no more than alone."""
        here = smallest_face(self.sent.width, self.sent.height) * cell.size[0] / cell.width
        return math.ceil(here) if here > smallest_face(*cell.size) * _AS_ALONE else None


def make_sheet(photos: Sequence[InCell], grid: FaceGrid, limits: ServiceLimits = FACE) -> Sheet:
    """Return the photos in one file, row by row; it is only as large as they need.

    Args:
        photos: one or more, but no more than the grid has cells.
        grid: how many are beside each other.
        limits: of the file.
    """
    from PIL import Image

    pictures = [photo.picture for photo in photos]
    rows = [pictures[i : i + grid.columns] for i in range(0, len(pictures), grid.columns)]
    widths = [
        max(row[column].width for row in rows if column < len(row))
        for column in range(len(rows[0]))
    ]
    heights = [max(picture.height for picture in row) for row in rows]
    sheet = Image.new("RGB", (_length(widths), _length(heights)), _GROUND)
    cells = []
    for index, photo in enumerate(photos):
        row, column = divmod(index, grid.columns)
        left, top = _start(widths, column), _start(heights, row)
        sheet.paste(photo.picture, (left, top))
        cells.append(Cell(left, top, photo.picture.width, photo.picture.height, photo.size))
    sent = as_payload(sheet, limits)
    return Sheet(sent, [cell.shrunk(sent.across, sent.down) for cell in cells])


def _start(lengths: Sequence[int], index: int) -> int:
    return sum(lengths[:index]) + GUTTER * index


def _length(lengths: Sequence[int]) -> int:
    return sum(lengths) + GUTTER * (len(lengths) - 1)


def by_cell(answer: Sequence[Fields], cells: Sequence[Cell]) -> list[list[Fields] | None]:
    """Return the faces of an answer by the photos that they are in.

    A face is in the photo in which its middle lies. One whose middle lies between photos is no
    face. Where one lies in two photos, it can't be told what is in either of them. Of a box that
    reaches beyond the file the part in it counts; if there is none, it is left out, and logged.

    Returns:
        For each cell its faces as the service tells of them; None where they can't be told.
    """
    faces: list[list[Fields]] = [[] for _ in cells]
    unsure: set[int] = set()
    nowhere = 0
    for face in answer:
        box = _box_in_file(face, cells)
        if box is None:
            nowhere += 1
            continue
        touched = [number for number, cell in enumerate(cells) if cell.is_touched(box)]
        if len(touched) > 1:
            unsure.update(touched)
            continue
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        for number in touched:
            if cells[number].holds(x, y):
                faces[number].append(face)
    if nowhere:
        _logger.warning("%d faces of an answer have no place in the picture: left out", nowhere)
    return [None if number in unsure else faces[number] for number in range(len(cells))]


def _box_in_file(face: Fields, cells: Sequence[Cell]) -> tuple[float, float, float, float] | None:
    """Return left, top, right and bottom of a face; None if no pixel of the file is in its box."""
    told = named(face.get("faceRectangle"), "left", "top", "width", "height")
    if not told:
        return None
    left, top = max(told[0], 0), max(told[1], 0)
    right = min(told[0] + told[2], max(cell.left + cell.width for cell in cells))
    bottom = min(told[1] + told[3], max(cell.top + cell.height for cell in cells))
    return (left, top, right, bottom) if right - left >= 1 and bottom - top >= 1 else None
