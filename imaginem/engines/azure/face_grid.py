"""Looks at several photos in one call to Azure Face, and alone at those that this can't serve."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from imaginem.engines.azure.face_answers import read_faces
from imaginem.engines.azure.face_sheet import InCell, by_cell, in_cell, make_sheet
from imaginem.engines.azure.payload import Payload
from imaginem.engines.azure.reading import Fields
from imaginem.engines.logs import logger_for
from imaginem.errors import PermanentError, RetryableError
from imaginem.images.decoding import Photo
from imaginem.outputs import Face
from imaginem.ports import CallContext, FaceGrid, FacesOfMany, FacesOfOne, PhotoOfMany

_logger = logging.getLogger("imaginem.engines.azure")
MOST_FACES = 100
"""Most faces in an answer (Microsoft): with so many there may be more, of any of the photos."""

Detect = Callable[[Payload, CallContext], Sequence[Fields]]
DetectAlone = Callable[[Photo, CallContext], list[Face]]
_Found = FacesOfOne | PermanentError | RetryableError


class PhotoGrid:
    """Finds the faces of several photos in one call.

    Args:
        grid: how many photos go into a call.
        detect: makes the call for a file, and returns the service's answer.
        alone: returns the faces of one photo, with a call of its own.
    """

    def __init__(self, grid: FaceGrid, detect: Detect, alone: DetectAlone) -> None:
        self._grid = grid
        self._detect = detect
        self._alone = alone

    def faces(self, photos: Sequence[PhotoOfMany]) -> FacesOfMany:
        """Return the faces of each photo, largest first, or why they are not known.

        No two photos are in memory at once: each is scaled down before the next one is read.
        """
        found: dict[int, _Found] = {}
        for start in range(0, len(photos), self._grid.cells):
            numbers = range(start, min(start + self._grid.cells, len(photos)))
            placed = self._placed(photos, numbers, found) if len(numbers) > 1 else {}
            paid = len(placed) > 1
            if paid:
                found |= self._look(photos, placed)
            for number in numbers:
                if number not in found:
                    found[number] = self._look_alone(photos[number], paid=paid)
                    paid = True
        return [found[number] for number in range(len(photos))]

    def _placed(
        self, photos: Sequence[PhotoOfMany], numbers: Sequence[int], found: dict[int, _Found]
    ) -> dict[int, InCell]:
        """Return the photos that go into a sheet; why others can't be read is noted in `found`."""
        placed = {}
        for number in numbers:
            try:
                picture = in_cell(photos[number].read(), self._grid)
            except (PermanentError, RetryableError) as problem:
                found[number] = problem
            else:
                if picture is not None:
                    placed[number] = picture
        return placed

    def _look(
        self, photos: Sequence[PhotoOfMany], placed: Mapping[int, InCell]
    ) -> dict[int, _Found]:
        """Return the faces of the photos in a sheet, but of those that are to be looked at alone.

        An error that may pass is returned for each of the photos.
        """
        call = _shared([photos[number].call for number in placed])
        sheet = make_sheet([*placed.values()], self._grid)
        try:
            answer = self._detect(sheet.sent, call)
        except RetryableError as problem:
            return dict.fromkeys(placed, problem)
        except PermanentError as problem:
            told = "%d photos in one call were refused, so each is looked at alone: %s"
            logger_for(_logger, call).warning(told, len(placed), problem)
            return {}
        if len(answer) >= MOST_FACES:
            return {}
        return {
            number: FacesOfOne(read_faces(faces, cell, cell.size), sheet.smallest(cell))
            for number, cell, faces in zip(
                placed, sheet.cells, by_cell(answer, sheet.cells), strict=True
            )
            if faces is not None
        }

    def _look_alone(self, photo: PhotoOfMany, *, paid: bool) -> _Found:
        """Return the faces of a photo with a call of its own.

        Args:
            photo: to look at.
            paid: other calls were made: to go back to the queue would pay for them again.
        """
        call = replace(photo.call, continues=True) if paid else photo.call
        try:
            return FacesOfOne(self._alone(photo.read(), call))
        except (PermanentError, RetryableError) as problem:
            return problem


def _shared(calls: Sequence[CallContext]) -> CallContext:
    """Return for whom a call is made that serves several jobs: it has no job, but their step."""
    batches = {call.batch_id for call in calls}
    batch_id = batches.pop() if len(batches) == 1 else ""
    return CallContext(batch_id, "", calls[0].step)
