"""The settings that pipeline and use cases need."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class RetentionDays:
    """After how many days what is erased; 0: never."""

    photos: int = 0
    crops: int = 0
    thumbnails: int = 0
    results: int = 0
    rows: int = 0
    poison: int = 0
    audit: int = 0


@dataclass(frozen=True)
class Fusion:
    """Which consecutive steps of a job one delivery may run.

    Attributes:
        every: all of them.
        groups: names of steps that may follow each other in one delivery.
    """

    every: bool = False
    groups: tuple[frozenset[str], ...] = ()

    @property
    def is_off(self) -> bool:
        """Whether each step has a delivery of its own."""
        return not (self.every or self.groups)

    def joins(self, name: str, following: str) -> bool:
        """Tell whether a step may run in the delivery of the step before it."""
        return self.every or any({name, following} <= group for group in self.groups)


@dataclass(frozen=True)
class FaceGrid:
    """How many photos one call to a service of faces shows; one, unless it is told otherwise.

    Attributes:
        columns: photos beside each other.
        rows: photos below each other.
    """

    columns: int = 1
    rows: int = 1

    @property
    def cells(self) -> int:
        """How many photos it holds."""
        return self.columns * self.rows

    def __str__(self) -> str:
        """Return it as the setting has it."""
        return f"{self.columns}x{self.rows}" if self.cells > 1 else "off"


ONE_PHOTO = FaceGrid()
"""No grid: each photo has a call of its own."""


@dataclass(frozen=True)
class CoreSettings:
    """The settings that the core needs: numbers and names.

    Attributes:
        backup_days: for how long backups keep what was erased; 0 where none are made for us.
        looks_again: whether a timer sends lost messages again, and sweeps what was erased.
        fusion: which steps run in one delivery.
        match_limit: most files of which a face's matches are kept in each group.
        face_grid: how many photos are looked at for faces in one call.
        face_grid_seconds: how long a photo waits for others to fill that grid, at most.
        reuse: stands for the engines, their settings and this version, by which outputs may be
            reused; empty if none may.
    """

    default_pipeline: Sequence[str] = ()
    input_container: str = "inputimages"
    faces_container: str = "faces"
    max_attempts: int = 5
    max_waits: int = 100
    max_dequeue_count: int = 5
    retry_seconds: float = 2.0
    purposes: Sequence[str] = ()
    retention: RetentionDays = RetentionDays()
    backup_days: int = 0
    looks_again: bool = True
    fusion: Fusion = Fusion(every=True)
    match_limit: int = 20
    face_grid: FaceGrid = ONE_PHOTO
    face_grid_seconds: float = 30.0
    reuse: str = ""
