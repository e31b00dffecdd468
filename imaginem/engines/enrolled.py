"""What recognizers of every provider ask of the gallery when they match faces."""

import uuid
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from imaginem.errors import PermanentError
from imaginem.outputs import Face, FaceMatch
from imaginem.ports import FaceGallery, Seen, best_of_each_group

if TYPE_CHECKING:
    from imaginem.images.decoding import Photo


def by_page(photo: "Photo", faces: Sequence[Face]) -> "Iterator[tuple[Photo, list[Face]]]":
    """Return each page that has faces, decoded, with its faces; one page at a time.

    Args:
        photo: any page of the file.
        faces: found in it.
    """
    in_order = sorted(faces, key=lambda face: face.page or 1)
    for page, group in groupby(in_order, key=lambda face: face.page or 1):
        yield photo.on_page(page), list(group)


def enrolled_qualities(
    gallery: FaceGallery, own: Collection[uuid.UUID], face_ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, float]:
    """Return the qualities of those faces that are among the job's own.

    Args:
        gallery: to ask.
        own: the faces that the gallery has of the job.
        face_ids: that are to be matched.

    Raises:
        PermanentError: faces are asked for, and none of them is there.
    """
    qualities = gallery.qualities([face_id for face_id in face_ids if face_id in own])
    if face_ids and not qualities:
        raise PermanentError(
            "none of these faces is in the gallery: put faceprint before facematch in "
            "processing_pipeline"
        )
    return qualities


def best_matches(gallery: FaceGallery, matches: Sequence[FaceMatch], limit: int) -> list[FaceMatch]:
    """Return a face's matches, at most `limit` of each group that the matched faces belong to.

    Who may see only some groups finds all matches there that he would find if there were no others.
    A file counts once: matches on its other pages and in its copies are kept with the best one.

    Args:
        gallery: to ask.
        matches: best first.
        limit: files of each group at most.
    """

    def seen(found: Sequence[FaceMatch]) -> list[Seen]:
        ids = {match.matched_face_id for match in found}
        groups, owners = gallery.groups_of(ids), gallery.owners(list(ids))
        return [
            Seen(
                groups.get(face_id, ""), owners[face_id].in_photo if face_id in owners else face_id
            )
            for face_id in (match.matched_face_id for match in found)
        ]

    return best_of_each_group(matches, limit, seen)
