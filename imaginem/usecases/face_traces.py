"""Erasing faces: from the gallery, and from what other jobs keep of their matches with them.

Whose outputs name a face is known from the gallery's pairs, so as many jobs are looked at as the
face has matches. A job at work keeps the match in its message, and would write it again: its row
is left alone, and what it shows is looked up in the gallery each time, as everybody's matches are.
"""

import uuid
from collections.abc import Collection, Sequence
from typing import Any

from pydantic_core import from_json, to_json

from imaginem.errors import Conflict, InvalidMessage, PermanentError
from imaginem.message import read_json
from imaginem.pipeline.offload import CONTAINER, as_property, expand, is_linked
from imaginem.pipeline.progress_row import ProgressRow, RowChange, StepChange, read_row
from imaginem.ports import DashboardServices, JobKey
from imaginem.ports.erasing import without_faces

_TRIES = 8


class GalleryFaces:
    """The faces of the gallery, and their ids in the outputs of jobs that matched them."""

    def __init__(self, services: DashboardServices) -> None:
        self._services = services

    @property
    def holds(self) -> Sequence[str]:
        """Return the gallery's tables."""
        return self._services.gallery.holds

    def erase(self, key: JobKey) -> None:
        """Remove a job's faces; first from elsewhere, since their pairs tell where they are."""
        self._forget_elsewhere(key, {key})
        self._services.gallery.erase(key)

    def erase_runs(self, key: JobKey, runs: Collection[str]) -> None:
        """Remove the faces of a job's runs."""
        self._forget_elsewhere(key, {key})
        self._services.gallery.erase_runs(key, runs)

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Remove the faces of a batch's jobs."""
        going = {(batch_id, job_id) for job_id in job_ids}
        for key in sorted(going):
            self._forget_elsewhere(key, going)
        self._services.gallery.erase_batch(batch_id, job_ids)

    def _forget_elsewhere(self, key: JobKey, going: Collection[JobKey]) -> None:
        """Remove a job's faces from the outputs of other jobs but those that are going too."""
        face_ids = {face.face_id for face in self._services.gallery.faces_of(key)}
        forget_elsewhere(self._services, face_ids, going)


def forget_elsewhere(
    services: DashboardServices, face_ids: Collection[uuid.UUID], but: Collection[JobKey]
) -> None:
    """Remove faces from the outputs of the jobs that matched them, except some jobs."""
    gallery = services.gallery
    matched = {match.matched_face_id for match in gallery.matches_of(list(face_ids))}
    owners = gallery.owners(list(matched)).values()
    for other in sorted({(owner.batch_id, owner.job_id) for owner in owners} - set(but)):
        forget_in_outputs(services, other, face_ids)


def forget_in_outputs(
    services: DashboardServices, key: JobKey, face_ids: Collection[uuid.UUID]
) -> None:
    """Remove faces from all outputs of a job, but from the row of one that is at work."""
    services.results.drop_faces(key, face_ids)
    services.earlier_outputs.drop_faces(key, face_ids)
    _forget_in_row(services, key, face_ids)


def _forget_in_row(
    services: DashboardServices, key: JobKey, face_ids: Collection[uuid.UUID]
) -> None:
    """Remove faces from a row of `pipelinelogs`; try again if somebody else writes it."""
    for _ in range(_TRIES):
        row = read_row(services.log, key)
        if row is None or not row.has_ended:
            return
        cleaner = _Cleaner(services, row, face_ids)
        change = cleaner.change()
        if not cleaner.changed:
            return
        try:
            services.log.merge(key, change.properties(), row.fence)
        except Conflict:
            continue
        for name in cleaner.old_blobs:
            services.blobs.delete(CONTAINER, name)
        return


class _Cleaner:
    """Makes the outputs in a row anew without some faces.

    Attributes:
        changed: one of them is another one now.
        old_blobs: names of the blobs that only the outputs before were linked to.
    """

    def __init__(
        self, services: DashboardServices, row: ProgressRow, face_ids: Collection[uuid.UUID]
    ) -> None:
        self._blobs, self._row, self._face_ids = services.blobs, row, face_ids
        self._shares = len(row.pipeline) + 1
        self.changed = False
        self.old_blobs: set[str] = set()

    def change(self) -> RowChange:
        """Return what is to be written."""
        steps = []
        for index, queue in enumerate(self._row.pipeline):
            text = self._row.output_of(queue)
            output = self._expanded(_read(text))
            kept = without_faces({queue: output}, self._face_ids)[queue]
            if kept != output:
                written = self._written(queue, kept, text)
                steps.append(StepChange(queue, index, self._row.state_of(queue), output=written))
        return RowChange(
            steps=tuple(steps),
            job_output=self._cleaned("job_output", self._row.job_output),
            message=self._cleaned("message", self._row.message),
        )

    def _cleaned(self, name: str, text: str) -> str | None:
        """Return a message that the row keeps without the faces; None if it names none."""
        message = self._expanded(_read(text))
        outputs = message.get("job_output") if isinstance(message, dict) else None
        if not isinstance(message, dict) or not isinstance(outputs, dict):
            return None
        whole = {step: self._expanded(output) for step, output in outputs.items()}
        kept = without_faces(whole, self._face_ids)
        different = {step for step, output in whole.items() if kept[step] != output}
        if not different:
            return None
        for step in different:
            self._note_blob(outputs[step])
        cleaned = {**outputs, **{step: kept[step] for step in different}}
        return self._written(name, {**message, "job_output": cleaned}, text)

    def _written(self, name: str, value: Any, before: str) -> str:
        self.changed = True
        self._note_blob(_read(before))
        return as_property(name, value, self._row.key, self._blobs, shares=self._shares)

    def _expanded(self, output: Any) -> Any:
        try:
            return expand(output, self._row.key, self._blobs)
        except PermanentError:  # the blob is gone, and with it what it named
            return output

    def _note_blob(self, output: Any) -> None:
        place = self._blobs.locate(str(output["linked_content"])) if is_linked(output) else None
        if place is not None:
            self.old_blobs.add(place[1])


def _read(text: str) -> Any:
    """Return the value of a property; None if it is empty, or no JSON any more."""
    try:
        return from_json(text)
    except ValueError:
        return None


def without_in_message(body: str, face_ids: Collection[uuid.UUID]) -> str:
    """Return a message's text without what its outputs have of some faces."""
    try:
        message = read_json(body)
    except InvalidMessage:
        return body
    outputs = message.get("job_output") if isinstance(message, dict) else None
    if not isinstance(outputs, dict):
        return body
    kept = without_faces(outputs, face_ids)
    return body if kept == outputs else to_json({**message, "job_output": kept}).decode()
