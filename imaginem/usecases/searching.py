"""Searching photos by what was found in them."""

from dataclasses import dataclass

from pydantic import ValidationError

from imaginem.errors import InvalidMessage
from imaginem.images.limits import PAGE_LIMIT
from imaginem.outputs import OcrText, TextLine, Word
from imaginem.ports import (
    AuditDeed,
    AuditSubject,
    DashboardServices,
    JobResult,
    PhotoFilter,
    PhotoPage,
)
from imaginem.ports.text_search import Sureness, TextSearch, word_tokens
from imaginem.usecases.audit.acting import note

NO_WORD = "there is no word to search for: give one with letters or digits"


@dataclass(frozen=True)
class TextHit:
    """A word on a photo that was searched for.

    Attributes:
        word: with its corners; a whole line where the engine tells no words.
        line: number of its line, from 1 on.
        sureness: how sure it is.
        page: of the photo's file, from 1 on; None if that has one.
    """

    word: Word
    line: int
    sureness: Sureness
    page: int | None = None


def has_words(text: str) -> bool:
    """Tell whether a text that is searched for has a word; without, nothing can be found by it."""
    return bool(word_tokens(text))


def check_words(wanted: PhotoFilter) -> None:
    """Check that there is a word in the text, if there is one.

    Raises:
        InvalidMessage: there is none: that no photo has it would say nothing.
    """
    if wanted.text and not has_words(wanted.text):
        raise InvalidMessage(f"text: {NO_WORD}")


def find_photos(
    services: DashboardServices, wanted: PhotoFilter, cursor: str = "", limit: int = 48
) -> PhotoPage:
    """Return photos as `PhotoCatalogue.photos` does.

    What was asked for is not recorded: it may be a name.

    Raises:
        InvalidMessage: the cursor is not valid, or there is no word in the text.
    """
    check_words(wanted)
    batch = (wanted.batch,) if wanted.batch else ()
    kind = AuditSubject.BATCH if batch else AuditSubject.PHOTOS
    note(services, AuditDeed.SEARCHED, kind, *batch)
    return services.catalogue.photos(wanted, cursor, limit)


def count_labels(
    services: DashboardServices, wanted: PhotoFilter, kind: str, limit: int = 50
) -> list[tuple[str, int]]:
    """Return the labels of photos with their counts: numbers, which show nobody.

    Raises:
        InvalidMessage: there is no word in the text.
    """
    check_words(wanted)
    return services.catalogue.labels(wanted, kind, limit)


def hits_on_photo(text: OcrText, words: str) -> list[TextHit]:
    """Return where on a photo the words are that were searched for, in reading order.

    Args:
        text: that was read in the photo.
        words: what was searched for.
    """
    search = TextSearch(words)
    photo = frozenset(word_tokens(text.full_text))
    hits = []
    for number, line in enumerate(text.lines, 1):
        if search.sureness_of(word_tokens(line.text), photo) is not None:
            hits += _hits_in_line(search, photo, number, line)
    return hits


def page_with(result: JobResult, words: str) -> int:
    """Return the first page of a photo's file that has words, as its own page opens; else 1.

    Args:
        result: of the photo's job.
        words: what was searched for.
    """
    try:
        text = OcrText.model_validate(result.job_output.get("ocr"))
    except ValidationError:  # there is none, or a sender's own
        return 1
    if not any(line.page and line.page > 1 for line in text.lines):
        return 1  # without a look at each word
    search, photo = TextSearch(words), frozenset(word_tokens(text.full_text))
    for line in text.lines:
        if line.page and search.sureness_of(word_tokens(line.text), photo) is not None:
            return min(max(line.page, 1), PAGE_LIMIT)
    return 1


def _hits_in_line(
    search: TextSearch, photo: frozenset[str], number: int, line: TextLine
) -> list[TextHit]:
    found = [
        TextHit(word, number, sureness, line.page)
        for word in line.words or [line]
        if (sureness := search.sureness_of(word_tokens(word.text), photo)) is not None
    ]
    if found:
        return found
    sureness = search.sureness_of(word_tokens(line.text), photo)  # a name of several words
    return [TextHit(line, number, sureness, line.page)] if sureness is not None else []
