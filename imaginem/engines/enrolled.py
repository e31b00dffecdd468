"""What recognizers of every provider ask of the gallery before they match faces."""

import uuid
from collections.abc import Collection, Sequence

from imaginem.errors import PermanentError
from imaginem.ports import FaceGallery


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
