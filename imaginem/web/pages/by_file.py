"""Matches on several pages of one file, put together: they are not to crowd out other photos."""

from collections.abc import Sequence
from itertools import count

from imaginem.web.models import Match


def by_file(matches: Sequence[Match]) -> list[list[Match]]:
    """Return matches with those on other pages of the same file, or a copy, beside its best one.

    Faces on one page are two people, so they stay apart. So do matches on which a person decided
    otherwise: unlike copies, pages are different pictures, and may show different people.

    Args:
        matches: in the order in which they are shown.
    """
    files: dict[object, list[Match]] = {}
    for match in matches:
        file = (match.face_id, match.file, match.verdict)
        for place in count():
            pages = files.setdefault((file, place), [])
            if all(match.page != other.page for other in pages):
                pages.append(match)
                break
    return list(files.values())
