"""Looks for the faces of several jobs in as few calls as the engine can."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from imaginem.errors import PermanentError, RetryableError
from imaginem.images.decoding import Photo
from imaginem.outputs import Face
from imaginem.pipeline.context import JobContext
from imaginem.ports import FaceEngine, PhotoOfMany, faces_in_many

FACEPRINT = "faceprint"
"""The step whose engine may need to be told that faces were detected for it."""


@dataclass
class FacesOfFile:
    """The faces of a photo's file, without face ids.

    Attributes:
        detector: name of the engine.
        photo_sha256: of the file.
        faces: of all pages, each with its page if there are several.
        ends_early: the file lacks its end.
        page_count: how many pages the file has.
        unread_pages: numbers of those that can't be decoded.
        smallest: pixels of the smallest face that was looked for on the first page, if it was seen
            with other photos and that made a difference.
    """

    detector: str
    photo_sha256: str = ""
    faces: list[Face] = field(default_factory=list)
    ends_early: bool = False
    page_count: int = 1
    unread_pages: set[int] = field(default_factory=set)
    smallest: int | None = None

    def note(self, photo: Photo) -> Photo:
        """Keep what the file tells; return the photo."""
        self.photo_sha256, self.ends_early = photo.sha256, photo.ends_early
        self.page_count = photo.page_count
        return photo

    def add(self, faces: Sequence[Face], page: int | None) -> None:
        """Add the faces of a page."""
        self.faces += [face.model_copy(update={"page": page}) for face in faces]


def detect_faces(job: JobContext) -> FacesOfFile:
    """Return the faces of a job's photo, page by page.

    Raises:
        PermanentError: the photo can't be read, or an engine refuses it.
        RetryableError: an engine may answer later.
    """
    engine, for_recognition = job.faces, FACEPRINT in job.pipeline
    found = FacesOfFile(engine.name)
    found.note(job.image)
    for page in job.image.pages():
        call = job.call_for(page)
        found.add(engine.detect(page, call, for_recognition=for_recognition), page.page)
    found.unread_pages = job.image.unread_pages
    return found


def detect_faces_together(jobs: Sequence[JobContext]) -> list[FacesOfFile | Exception]:
    """Return the faces of each job's photo: in as few calls as the engine can.

    First pages share calls; a later page of a file has a call of its own. No two photos are in
    memory at once.

    Returns:
        For each job its faces, or why they are not known: one that fails costs no other.
    """
    alike: dict[tuple[int, bool], list[int]] = defaultdict(list)
    for number, job in enumerate(jobs):
        # A rerun may have another engine; faces of some jobs alone are to be recognized.
        alike[id(job.faces), FACEPRINT in job.pipeline].append(number)
    found: dict[int, FacesOfFile | Exception] = {}
    for (_, for_recognition), numbers in alike.items():
        members = [jobs[number] for number in numbers]
        together = _together(members[0].faces, members, for_recognition=for_recognition)
        found.update(zip(numbers, together, strict=True))
    return [found[number] for number in range(len(jobs))]


def _together(
    engine: FaceEngine, jobs: Sequence[JobContext], *, for_recognition: bool
) -> list[FacesOfFile | Exception]:
    files = [FacesOfFile(engine.name) for _ in jobs]
    photos = [
        PhotoOfMany(_Reader(job, file), job.call) for job, file in zip(jobs, files, strict=True)
    ]
    found: list[FacesOfFile | Exception] = []
    answers = faces_in_many(engine, photos, for_recognition=for_recognition)
    for job, file, seen in zip(jobs, files, answers, strict=True):
        if isinstance(seen, Exception):
            found.append(seen)
            continue
        file.smallest = seen.smallest
        file.add(seen.faces, 1 if file.page_count > 1 else None)
        found.append(_with_later_pages(job, file, engine, for_recognition=for_recognition))
    return found


@dataclass(frozen=True)
class _Reader:
    """Reads a job's photo, and notes what its file tells."""

    job: JobContext
    file: FacesOfFile

    def __call__(self) -> Photo:
        return self.file.note(self.job.read_image())


def _with_later_pages(
    job: JobContext, file: FacesOfFile, engine: FaceEngine, *, for_recognition: bool
) -> FacesOfFile | Exception:
    """Add the faces of a file's pages but the first."""
    if file.page_count == 1:
        return file
    try:
        photo = job.read_image()
        for page in photo.pages():
            if page.page != photo.page:
                call = job.call_for(page)
                file.add(engine.detect(page, call, for_recognition=for_recognition), page.page)
    except (PermanentError, RetryableError) as problem:
        return problem
    file.unread_pages = photo.unread_pages
    return file
