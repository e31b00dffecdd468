"""Every line that RapidOCR locates, those that it can't read too, which it drops."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Sign:
    """A letter, figure or mark that was read in a line; blanks are none.

    Attributes:
        text: of one code point.
        sure: how sure the reader is of it, from 0 to 1.
        at: where its middle is along the line, from 0 to 1.
    """

    text: str
    sure: float
    at: float


@dataclass(frozen=True)
class Located:
    """A line's box, and what was read in it.

    Attributes:
        box: four corners, 4 by 2, in pixels of the photo, clockwise from the top left.
        located: how sure it is that there is text, from 0 to 1.
        text: may be empty.
        score: how sure it is of the text, from 0 to 1.
        signs: of the text, in its order.
    """

    box: Array
    located: float
    text: str
    score: float
    signs: tuple[Sign, ...] = ()


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
            infos = read.word_results
            self.lines = [
                Located(np.asarray(box), float(sure), text, float(score), _signs(text, info))
                for box, sure, text, score, info in zip(
                    boxes, located.scores, read.txts, read.scores, infos, strict=True
                )
            ]
        return self._finish(photo, located, turned, read, *others)


def _signs(text: str, info: Any) -> tuple[Sign, ...]:
    """Return the signs of a reading.

    Args:
        text: of the line.
        info: RapidOCR's `WordInfo`: `word_cols` has the columns of all signs but blanks,
            `line_txt_len` says how many the line has, `confs` is by sign, with blanks.
    """
    columns = [column for word in info.word_cols for column in word]
    sure = [score for sign, score in zip(text, info.confs, strict=False) if not sign.isspace()]
    letters = [sign for sign in text if not sign.isspace()]
    if not len(columns) == len(sure) == len(letters):
        return ()
    return tuple(
        Sign(letter, float(score), min((column + 0.5) / info.line_txt_len, 1.0))
        for letter, score, column in zip(letters, sure, columns, strict=True)
    )
