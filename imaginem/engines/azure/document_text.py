"""The text in an answer of Document Intelligence: lines, and their words, listed apart."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from imaginem.engines.azure.payload import Payload
from imaginem.engines.azure.reading import Fields, named, number, numbers, objects, text
from imaginem.errors import PermanentError
from imaginem.outputs import OcrText, TextLine, TextStyle, Word

Span = tuple[int, int]
"""Where in the whole text something begins and ends."""


@dataclass(frozen=True)
class _Marks:
    """What the service says of stretches of the text.

    Attributes:
        languages: BCP 47 tags with their stretches.
        handwriting: stretches that are handwritten, each with its confidence.
    """

    languages: Sequence[tuple[str, list[Span]]]
    handwriting: Sequence[tuple[float | None, list[Span]]]

    def language_at(self, place: int) -> str | None:
        """Return the language of a place."""
        return next((tag for tag, spans in self.languages if _covers(spans, place)), None)

    def style_at(self, place: int) -> TextStyle | None:
        """Return the style of a place, if it is handwritten."""
        for sure, spans in self.handwriting:
            if _covers(spans, place):
                return TextStyle(name="handwriting", confidence=sure)
        return None


def text_of(result: Fields, sent: Payload) -> OcrText:
    """Return the text of a result; polygons are in the photo's own pixels.

    Raises:
        PermanentError: it has no page.
    """
    pages = objects(result.get("pages"))
    if not pages:
        raise PermanentError(
            "Azure documentintelligence read: the result has no page, which it has of a photo "
            "without text too; send the photo again"
        )
    marks = _marks(result)
    lines = [line for page in pages for line in _lines(page, marks, sent) if line.text]
    return OcrText(
        full_text="\n".join(line.text for line in lines) or text(result.get("content")),
        lines=lines,
        language=_main_language(marks),
        model_version=text(result.get("apiVersion")) or None,
    )


def _marks(result: Fields) -> _Marks:
    languages = [
        (tag, _spans(item.get("spans")))
        for item in objects(result.get("languages"))
        if (tag := text(item.get("locale")))
    ]
    handwriting = [
        (number(item.get("confidence")), _spans(item.get("spans")))
        for item in objects(result.get("styles"))
        if item.get("isHandwritten") is True
    ]
    return _Marks(languages, handwriting)


def _lines(page: Fields, marks: _Marks, sent: Payload) -> list[TextLine]:
    """Return the lines of a page with their words: those whose place is within the line's."""
    placed = [
        (places[0][0], word)
        for word in objects(page.get("words"))
        if (places := _spans([word.get("span")]))
    ]
    placed.sort(key=lambda item: item[0])
    offsets = [offset for offset, _ in placed]
    lines = []
    for line in objects(page.get("lines")):
        spans = _spans(line.get("spans"))
        inside = [
            word
            for first, end in spans
            for _, word in placed[bisect_left(offsets, first) : bisect_left(offsets, end)]
        ]
        lines.append(_line(line, inside, spans[0][0] if spans else -1, marks, sent))
    return lines


def _line(
    line: Fields, inside: Sequence[Fields], place: int, marks: _Marks, sent: Payload
) -> TextLine:
    """Return a line; its confidence is the mean of what is told of its words."""
    words = [_word(word, sent) for word in inside]
    told = [score for word in inside if (score := number(word.get("confidence"))) is not None]
    kept = [word for word in words if word.text]
    return TextLine(
        text=text(line.get("content")) or " ".join(word.text for word in kept),
        confidence=round(sum(told) / len(told), 4) if told else 0.0,
        polygon=sent.corners(numbers(line.get("polygon"))),
        words=kept,
        language=marks.language_at(place),
        style=marks.style_at(place),
    )


def _word(word: Fields, sent: Payload) -> Word:
    return Word(
        text=text(word.get("content")),
        confidence=number(word.get("confidence")) or 0.0,
        polygon=sent.corners(numbers(word.get("polygon"))),
    )


def _spans(value: object) -> list[Span]:
    told = [named(item, "offset", "length") for item in objects(value)]
    return [(int(span[0]), int(span[0] + span[1])) for span in told if span]


def _covers(spans: Sequence[Span], place: int) -> bool:
    return any(first <= place < end for first, end in spans)


def _main_language(marks: _Marks) -> str:
    """Return the language of most of the text; empty if the service tells none."""
    lengths: Counter[str] = Counter()
    for tag, spans in marks.languages:
        lengths[tag] += sum(end - first for first, end in spans)
    return max(lengths, key=lambda tag: lengths[tag], default="")
