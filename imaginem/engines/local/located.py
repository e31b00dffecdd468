"""Every line that RapidOCR locates, those that it can't read too, which it drops."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Located:
    """A line's box, and what was read in it.

    Attributes:
        box: four corners, 4 by 2, in pixels of the photo, clockwise from the top left.
        located: how sure it is that there is text, from 0 to 1.
        text: may be empty.
        score: how sure it is of the text, from 0 to 1.
    """

    box: Array
    located: float
    text: str
    score: float


class LocatedLines:
    """Notes the lines of a photo before RapidOCR drops those that it can't read.

    Args:
        reader: a RapidOCR.
    """

    def __init__(self, reader: Any) -> None:
        self.lines: list[Located] = []
        self._finish = reader.build_final_output
        reader.build_final_output = self._note

    def _note(self, photo: Array, located: Any, turned: Any, read: Any, *others: Any) -> Any:
        self.lines = []
        if located.boxes is not None and read.txts is not None:
            from rapidocr.utils.process_img import map_boxes_to_original

            boxes = map_boxes_to_original(
                np.array(located.boxes), others[-1], photo.shape[0], photo.shape[1]
            )
            self.lines = [
                Located(np.asarray(box), float(sure), text, float(score))
                for box, sure, text, score in zip(
                    boxes, located.scores, read.txts, read.scores, strict=True
                )
            ]
        return self._finish(photo, located, turned, read, *others)
