"""The photos that matches are in, as the command line tells them: each file once."""

from collections.abc import Sequence
from dataclasses import dataclass

from imaginem.ports import DashboardServices, JobKey
from imaginem.usecases.access import EVERYTHING
from imaginem.usecases.alike import ReviewedMatch
from imaginem.usecases.faces import matches_of_job

_SAME_PHOTO = "same photo"


@dataclass(frozen=True)
class MatchedPhoto:
    """A photo with a face that matches one in the photo in question.

    Attributes:
        confidence: of the best match of the two photos, from 0 to 1.
        band: match tier of that match.
        decision: of a person on that match; empty if there is none.
        same_photo: it is the same photo, sent again.
        page: of its file, on which that match is, from 1 on.
        pages: how many of the other pages match too, with as much of a person's word.
        copies: how many copies of it are known besides.
        may_have_more_copies: whether more of them may not have been kept.
    """

    batch_id: str
    job_id: str
    confidence: float
    band: str
    decision: str = ""
    same_photo: bool = False
    page: int = 1
    pages: int = 0
    copies: int = 0
    may_have_more_copies: bool = False

    @property
    def told(self) -> str:
        """What is said of it: a person's word goes before a machine's."""
        told = self.decision or (_SAME_PHOTO if self.same_photo else self.band)
        copies = copies_told(self.copies, may_have_more=self.may_have_more_copies)
        return f"{told}{pages_told(self.page, self.pages)}{copies}"


def pages_told(page: int, others: int) -> str:
    """Return what is said of the pages of a file, to be put after it."""
    first = f" on page {page}" if page > 1 else ""
    return f"{first} and {others} more page{'s' * (others > 1)}" if others else first


def copies_told(count: int, *, may_have_more: bool) -> str:
    """Return what is said of a photo's copies, to be put after it."""
    if not count:
        return ""
    return f" and {count} cop{'y' if count == 1 else 'ies'}{' or more' if may_have_more else ''}"


def matched_photos(services: DashboardServices, key: JobKey) -> list[MatchedPhoto]:
    """Return the photos that match a job's photo, whichever was processed first.

    The best come first, and those of which a person said that they show somebody else come last.
    """
    return photos_of(matches_of_job(services, key, EVERYTHING))


def photos_of(matches: Sequence[ReviewedMatch]) -> list[MatchedPhoto]:
    """Return the files that matches are in, each once, in the order of `matched_photos`."""
    files: dict[str, list[ReviewedMatch]] = {}
    for match in sorted(matches, key=lambda match: (match.is_rejected, -match.confidence)):
        files.setdefault(match.file, []).append(match)
    return list(map(_as_photo, files.values()))


def _as_photo(matches: Sequence[ReviewedMatch]) -> MatchedPhoto:
    """Return what the matches in one file tell of it, the best one first."""
    best = matches[0]
    alike = [match for match in matches if match.is_rejected == best.is_rejected]
    return MatchedPhoto(
        best.batch_id,
        best.job_id,
        best.confidence,
        best.band,
        best.decision,
        best.same_photo,
        best.page,
        len({match.page for match in alike} - {best.page}),
        len({job for match in matches for job in match.jobs} - {(best.batch_id, best.job_id)}),
        any(match.may_have_more_copies for match in matches),
    )
