"""Steps of a simulated pipeline: each has its own way of failing.

An output names the outputs that it was made from, and is different each time: two recordings
of one step never look alike by chance.
"""

import uuid
from collections.abc import Callable, Sequence
from typing import Protocol

from imaginem import JobContext, PermanentError, RetryableError, StepOutput, step
from imaginem.errors import Busy, NotFound
from imaginem.names import job_prefix
from imaginem.pipeline.steps import AnyStep, Registry
from imaginem.ports import EnrolledFace, JobKey
from steps.pipelineoutput import pipelineoutput
from tests.simulation.engines import EMBEDDING, MODEL
from tests.simulation.plan import STEPS, TOGETHER
from tests.simulation.services import SimulatedServices

PADDING = " " * 17_000
BLIND = frozenset({"calls", "waits", "large"})
"""Steps that read no output: what earlier ones found may not be recorded when they run."""
PURE = frozenset({"calls", "large"})
REFUSED = "refused"
GROUP = 3
WITHIN = 20.0
_PHOTO_LIMIT = 1000
NO_PHOTO = "the photo is gone"


class Found(StepOutput):
    """What a step made, and what of."""

    what: str


class DefectError(Exception):
    """What a step's author did wrong."""


FAILURES: tuple[tuple[Exception, bool], ...] = (
    (RetryableError("later", retry_after=5), True),
    (RetryableError("this one later"), False),
    (Busy("no room", retry_after=3), True),
    (PermanentError(REFUSED), True),
    (PermanentError(REFUSED), False),
    (DefectError("a defect"), True),
    (DefectError("a defect"), False),
)
"""How a step over several photos fails, and whether for all of them."""


class Surroundings(Protocol):
    """What the steps ask the run for."""

    services: SimulatedServices

    def executes(self, job: JobContext, name: str) -> int:
        """Note that a step runs; return a number that no other execution has."""

    def sees(self, keys: Sequence[JobKey]) -> None:
        """Note which jobs a step sees at once."""

    def wrote(self, key: JobKey) -> None:
        """Note that a step has just written something of a job into SQL."""

    def happens(self, what: str) -> bool:
        """Tell whether a step fails in its way this time."""


class Pipeline:
    """The steps, made once; `around` is the run that they run in.

    Args:
        group: how many photos the step over several photos gets at once.
    """

    around: Surroundings

    def __init__(self, group: int = GROUP) -> None:
        self._group = group
        self.registry = Registry()
        get = self.registry.get
        for name in (*STEPS, "report"):
            needs = {"names": ("looks",), "match": ("faces",), "breaks": ("calls",)}.get(name, ())
            self._declare(name, [get(needed) for needed in needs])
        self._declare_together()

    def _declare(self, name: str, needs: Sequence[AnyStep]) -> None:
        act: Callable[[JobContext], None] | None = getattr(self, f"_{name}", None)

        def function(job: JobContext) -> Found:
            number = self.around.executes(job, name)
            if act is not None:
                act(job)
            basis = "" if name in BLIND else _basis(job)
            found = Found(what=f"{basis}>{number}")
            return found if name != "large" else Found(what=found.what + PADDING)

        function.__name__ = name
        step(
            registry=self.registry,
            requires=needs,
            finalizer=name == "report",
            pure=name in PURE,
        )(function)

    def _declare_together(self) -> None:
        def function(jobs: list[JobContext]) -> list[Found | Exception]:
            numbers = [self.around.executes(job, TOGETHER) for job in jobs]
            self.around.sees([job.key for job in jobs])
            found: list[Found | Exception] = [
                Found(what=f"{_basis(job)}>{number}")
                for job, number in zip(jobs, numbers, strict=True)
            ]
            if self.around.happens("a step over several photos"):
                problem, whole = FAILURES[numbers[0] % len(FAILURES)]
                if whole:
                    raise problem
                found[0] = problem
            return found

        function.__name__ = TOGETHER
        step(registry=self.registry, group=self._group, within=f"{WITHIN:.0f}s")(function)

    def _looks(self, job: JobContext) -> None:
        """Read the photo, which must be where it was put."""
        place = self.around.services.blobs.locate(job.image_url)
        try:
            self.around.services.blobs.get(*place, _PHOTO_LIMIT)
        except NotFound:
            raise PermanentError(NO_PHOTO) from None

    def _faces(self, job: JobContext) -> None:
        """Leave something outside the row: a picture, and the job's faces."""
        services = self.around.services
        name = f"{job_prefix(*job.key)}face.png"
        services.blobs.put(services.core_settings.faces_container, name, b"a face", "image/png")
        services.gallery.enrol(job.key, faces_of(job.key), run=job.call.run)
        self.around.wrote(job.key)

    def _match(self, job: JobContext) -> None:
        """Keep the pairs of faces that look alike."""
        services, key = self.around.services, job.key
        own = [face.face_id for face in services.gallery.faces_of(key)]
        services.recognizer.match(key, own, lambda: job.image, job.call)

    def _calls(self, job: JobContext) -> None:
        if self.around.happens("retryable error"):
            raise RetryableError("later", retry_after=5)

    def _waits(self, job: JobContext) -> None:
        if self.around.happens("busy"):
            raise Busy("no room", retry_after=3)

    def _breaks(self, job: JobContext) -> None:
        if self.around.happens("defect"):
            raise DefectError("a defect")

    def _refuses(self, job: JobContext) -> None:
        if self.around.happens("permanent error"):
            raise PermanentError(REFUSED)

    def _report(self, job: JobContext) -> None:
        pipelineoutput(job)
        self.around.wrote(job.key)


def faces_of(key: JobKey) -> list[EnrolledFace]:
    """Return the faces that a job's photo shows."""
    return [
        EnrolledFace(
            face_id=uuid.uuid5(uuid.NAMESPACE_URL, f"{key[0]}/{key[1]}/{number}"),
            rectangle=(0, 0, 8, 8),
            model=MODEL,
            embedding=EMBEDDING,
            quality=1.0,
        )
        for number in range(2)
    ]


def _basis(job: JobContext) -> str:
    """Return what the latest output before this step is."""
    outputs = job.outputs
    made = [outputs[name]["what"] for name in job.pipeline if name in outputs]
    return made[-1].strip() if made else ""
