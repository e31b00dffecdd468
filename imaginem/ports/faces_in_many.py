"""Faces of several photos, looked for together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from imaginem.errors import ImaginemError, PermanentError, RetryableError
from imaginem.ports.engines import CallContext, FaceEngine
from imaginem.ports.outputs.faces import Face

if TYPE_CHECKING:
    from imaginem.images.decoding import Photo


@dataclass(frozen=True)
class PhotoOfMany:
    """One of several photos that faces are looked for in together.

    Attributes:
        read: returns the photo, decoded. It is called again where the photo is needed again: no
            two photos are in memory together.
        call: whom the engine is called for.
    """

    read: "Callable[[], Photo]"
    call: CallContext


@dataclass(frozen=True)
class FacesOfOne:
    """What was found in one of several photos.

    Attributes:
        faces: largest first, without face ids.
        smallest: pixels of the photo that a face's shorter side needs to be found, where that is
            more than if the photo had been alone; smaller faces were not looked for.
    """

    faces: list[Face]
    smallest: int | None = None


FacesOfMany = list[FacesOfOne | ImaginemError]
"""For each of several photos its faces, or why they are not known: one that fails costs no other.
"""


@runtime_checkable
class GridFaceEngine(Protocol):
    """A `FaceEngine` that can look at several photos in one call."""

    def detect_in_many(
        self, photos: Sequence[PhotoOfMany], *, for_recognition: bool = False
    ) -> FacesOfMany:
        """Return the faces of each photo, as `FaceEngine.detect` does."""


def faces_in_many(
    engine: FaceEngine, photos: Sequence[PhotoOfMany], *, for_recognition: bool = False
) -> FacesOfMany:
    """Return the faces of each photo: in as few calls as the engine can, else one after the other.

    Raises:
        Exception: a defect, or storage is down.
    """
    if isinstance(engine, GridFaceEngine):
        return engine.detect_in_many(photos, for_recognition=for_recognition)
    found: FacesOfMany = []
    for photo in photos:
        try:
            faces = engine.detect(photo.read(), photo.call, for_recognition=for_recognition)
            found.append(FacesOfOne(faces))
        except (PermanentError, RetryableError) as problem:
            found.append(problem)
    return found
