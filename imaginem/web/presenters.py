"""What the API answers and the pages show, made from the services."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from imaginem.errors import NotFound
from imaginem.outputs import FaceMatch
from imaginem.pipeline.progress_row import ENDED, read_row
from imaginem.pipeline.progress_row import StepState as StepWord
from imaginem.ports import (
    BatchInfo,
    DashboardServices,
    FoundPhoto,
    JobKey,
)
from imaginem.usecases.progress import read_batch, summarise
from imaginem.usecases.submit import at_work, is_at_work
from imaginem.web.access import Caller
from imaginem.web.api.models import (
    Batch,
    Job,
    JobProblem,
    Match,
    Photo,
    Progress,
    StepState,
)
from imaginem.web.context import path


def batch_of(info: BatchInfo) -> Batch:
    """Return a batch."""
    return Batch(
        batch_id=info.batch_id,
        group=info.group,
        created=info.created,
        submitted=info.submitted,
        done=info.done,
        unfinished=info.unsuccessful,
        faces=info.faces,
    )


def progress_of(services: DashboardServices, batch_id: str) -> Progress:
    """Return how a batch stands.

    Raises:
        NotFound: nothing is known of it.
    """
    known = services.batches.batch(batch_id)
    rows = read_batch(services.log, batch_id, set(services.core_settings.default_pipeline))
    summary = summarise(batch_id, rows)
    working = at_work(services, batch_id, rows)
    if known is None and not summary.jobs and not working:
        raise NotFound(f"there is no batch {batch_id}")
    jobs = {**summary.jobs, **working}
    return Progress(
        batch_id=batch_id,
        cancelled=services.cancellations.is_cancelled(batch_id),
        submitted=len(jobs),
        ended=sum(state in ENDED for state in jobs.values()),
        jobs=jobs,
        steps={
            step.name: {str(state): count for state, count in step.states.items()}
            for step in summary.steps
        },
        problems=[
            JobProblem(job=job, step=step, reason=reason)
            for job, step, reason in summary.problems
            if working.get(job) != "queued"  # it is run again: the reason is of before
        ],
    )


def job_of(services: DashboardServices, key: JobKey, caller: Caller) -> Job:
    """Return a job: its progress, and what was found.

    Raises:
        NotFound: nothing is known of it.
    """
    row, result = read_row(services.log, key), services.results.read(key)
    sent = services.submissions.submission(key)
    if row is None and result is None and sent is None:
        raise NotFound(f"there is no job {key[1]} in batch {key[0]}")
    names = row.pipeline if row else list(result.processing_pipeline if result else ())
    state = str(row.job_state) if row else "succeeded"
    if is_at_work(row, sent) and (row is None or row.has_ended):
        state = "queued"
    matches = matches_of(services, key, caller)
    return Job(
        batch_id=key[0],
        job_id=key[1],
        state=state,
        image_url=result.image_url if result else row.image_url if row else "",
        image_parameters=result.image_parameters if result else sent.parameters if sent else None,
        processing_pipeline=names,
        steps=[
            StepState(
                name=name,
                state=row.state_of(name) if row else StepWord.SUCCESS,
                reason=row.reason_of(name) if row else "",
            )
            for name in names
        ],
        job_output=_shown(result.job_output, matches) if result else None,
        matches=matches,
    )


def _shown(outputs: Mapping[str, Any], matches: Sequence[Match]) -> dict[str, Any]:
    """Return outputs without matches that the caller may not see, or that are gone."""
    output = outputs.get("facematch")
    told = output.get("matches") if isinstance(output, dict) else None
    if not isinstance(output, dict) or not isinstance(told, list):
        return dict(outputs)
    seen = {str(match.matched_face_id) for match in matches}
    kept = [m for m in told if isinstance(m, dict) and str(m.get("matched_face_id")) in seen]
    return {**outputs, "facematch": {**output, "matches": kept}}


def matches_of(services: DashboardServices, key: JobKey, caller: Caller) -> list[Match]:
    """Return who looks like a job's faces, best first, as far as the caller may see them."""
    faces = [face.face_id for face in services.gallery.faces_of(key)]
    return told_matches(services, services.gallery.matches_of(faces), caller)


def told_matches(
    services: DashboardServices, found: Sequence[FaceMatch], caller: Caller
) -> list[Match]:
    """Return pairs with their photos and with what people said of them."""
    owners = services.gallery.owners([match.matched_face_id for match in found])
    hidden = hidden_batches(services, {owner.batch_id for owner in owners.values()}, caller)
    reviews = services.reviews.decisions(list({match.face_id for match in found}))
    told = []
    for match in found:
        owner = owners.get(match.matched_face_id)
        if owner is None or owner.batch_id in hidden:
            continue
        review = reviews.get((match.face_id, match.matched_face_id))
        told.append(
            Match(
                face_id=match.face_id,
                matched_face_id=match.matched_face_id,
                confidence=match.confidence,
                band=match.band,
                batch_id=owner.batch_id,
                job_id=owner.job_id,
                verdict=review.decision if review else "",
                judged_by=review.reviewer if review else "",
                judged_at=review.at if review else None,
            )
        )
    return told


def hidden_batches(services: DashboardServices, batches: Iterable[str], caller: Caller) -> set[str]:
    """Return which of these batches the caller may not see."""
    if caller.groups is None:
        return set()
    groups = services.batches.groups_of(set(batches))
    return {name for name, group in groups.items() if not caller.may_see(group)}


def owner_of(services: DashboardServices, face_id: uuid.UUID, caller: Caller) -> JobKey:
    """Return the job that a face belongs to.

    Raises:
        NotFound: it is not in the gallery, or the caller may not see it.
    """
    owner = services.gallery.owners([face_id]).get(face_id)
    if owner is None or hidden_batches(services, [owner.batch_id], caller):
        raise NotFound(f"there is no face {face_id}")
    return owner.batch_id, owner.job_id


def photo_of(found: FoundPhoto) -> Photo:
    """Return a photo in a list."""
    return Photo(
        batch_id=found.batch_id,
        job_id=found.id,
        name=found.name,
        timestamp=found.timestamp,
        faces=found.faces,
        tags=list(found.tags),
        unfinished=list(found.unsuccessful),
        thumbnail=thumbnail_url(found) if found.kept else "",
    )


def image_path(batch_id: str, job_id: str) -> str:
    """Return the address of a photo, without what is wanted of it."""
    return f"/api/images/{path(batch_id)}/{path(job_id)}"


def thumbnail_url(found: FoundPhoto) -> str:
    """Return the address of a photo's thumbnail; it changes when the job is run again."""
    version = f"{found.timestamp.timestamp() * 1000:.0f}"
    return f"{image_path(found.batch_id, found.id)}/thumbnail?v={version}"
