"""Converts what use cases return into the models of the API, which the pages show too."""

from collections.abc import Sequence

import imaginem
from imaginem.ports import BatchInfo, FoundPhoto, PoisonEntry
from imaginem.ports.searchable import unread_text
from imaginem.usecases import health
from imaginem.usecases.admission import Admission
from imaginem.usecases.alike import ReviewedMatch, may_have_more
from imaginem.usecases.batches import BatchOverview
from imaginem.usecases.faces import FaceSearch, SearchedFace
from imaginem.usecases.findings import findings_of
from imaginem.usecases.jobs import JobView
from imaginem.usecases.poison import PoisonView
from imaginem.usecases.poison_many import Handled
from imaginem.usecases.rerun import Comparison
from imaginem.usecases.unsearched import Unsearched
from imaginem.usecases.unseen import unseen_in
from imaginem.web import (
    face_models,
    models,
    operations_models,
    poison_models,
    rerun_models,
)
from imaginem.web.addresses import job_path, thumbnail_url
from imaginem.web.pause_models import WAITS_FOR_BUDGET


def present_batch(info: BatchInfo) -> models.Batch:
    """Return a batch in a list."""
    return models.Batch(
        batch_id=info.batch_id,
        group=info.group,
        created=info.created,
        submitted=info.submitted,
        done=info.done,
        unfinished=info.unsuccessful,
        faces=info.faces,
    )


def present_progress(overview: BatchOverview, note: str = "") -> models.Progress:
    """Return a batch's progress; if its budget has paused it, how it goes on.

    Args:
        overview: of the batch.
        note: what is to be known of what was just done.
    """
    if not note and overview.paused is not None and overview.paused.of_budget:
        note = WAITS_FOR_BUDGET
    return models.Progress(
        batch_id=overview.batch_id,
        cancelled=overview.cancelled,
        submitted=len(overview.jobs),
        ended=overview.ended,
        jobs=dict(overview.jobs),
        steps={name: dict(states) for name, states in overview.steps.items()},
        problems=[
            models.JobProblem(job=problem.job_id, step=problem.step, reason=problem.reason)
            for problem in overview.problems
        ],
        paused=models.Paused.model_validate(overview.paused) if overview.paused else None,
        budget=models.Budget.model_validate(overview.budget) if overview.budget else None,
        note=note,
    )


def present_sent(job: Admission) -> models.Accepted:
    """Return a photo's job, sent now or there already."""
    return models.Accepted(
        batch_id=job.key[0],
        job_id=job.key[1],
        run=job.run,
        url=job_path(*job.key),
        sent=job.sent,
        state=job.state,
        note=job.note,
    )


def present_job(job: JobView, match_limit: int) -> models.Job:
    """Return a job: its progress, and what was found; `match_limit` is that of the settings."""
    return models.Job(
        batch_id=job.batch_id,
        job_id=job.job_id,
        state=job.state,
        image_url=job.image_url,
        image_parameters=job.image_parameters,
        processing_pipeline=[step.name for step in job.steps],
        steps=[models.StepState.model_validate(step) for step in job.steps],
        job_output=job.outputs,
        matches=present_matches(job.matches),
        matches_may_have_more=may_have_more(job.matches, match_limit),
        looked={
            part: models.Finding.model_validate(found) for part, found in findings_of(job).items()
        },
        unreadable=unread_text(job.outputs or {}),
        not_seen=unseen_in(job.outputs),
        source=job.source,
        replaced=job.replaced,
    )


def present_matches(matches: Sequence[ReviewedMatch]) -> list[models.Match]:
    """Return who looks like a face."""
    return [present_match(match) for match in matches]


def present_match(match: ReviewedMatch) -> models.Match:
    """Return two faces that look alike, with what a person decided."""
    return models.Match(
        face_id=match.face_id,
        matched_face_id=match.matched_face_id,
        confidence=match.confidence,
        band=match.band,
        batch_id=match.batch_id,
        job_id=match.job_id,
        verdict=match.decision,
        judged_by=match.reviewer,
        judged_at=match.reviewed_at,
        same_photo=match.same_photo,
        copies=[models.FaceCopy.model_validate(copy) for copy in match.copies],
        may_have_more_copies=match.may_have_more_copies,
        page=match.page,
        file=match.file,
    )


def present_search(search: FaceSearch, left: Sequence[Unsearched]) -> face_models.FaceSearch:
    """Return the faces of the photo that was sent, and whose faces could not be found yet."""
    faces = [_present_searched(face) for face in search.faces]
    return face_models.FaceSearch(
        width=search.width,
        height=search.height,
        faces=faces,
        not_compared=search.not_compared,
        has_other_models=search.has_other_models,
        pages=search.pages,
        unread_pages=list(search.unread_pages),
        ends_early=search.ends_early,
        not_searched=[photos.sentence for photos in left],
    )


def _present_searched(face: SearchedFace) -> face_models.FoundFace:
    where = face.rectangle
    return face_models.FoundFace(
        rectangle=(where.left, where.top, where.width, where.height),
        matches=present_matches(face.matches),
        not_shown=face.not_shown,
        may_have_more=face.may_have_more,
        page=face.page,
    )


def present_photo(photo: FoundPhoto, words: str = "") -> models.Photo:
    """Return a photo in a list; `words` are those that were searched for."""
    return models.Photo(
        batch_id=photo.batch_id,
        job_id=photo.id,
        name=photo.name,
        timestamp=photo.timestamp,
        faces=photo.faces,
        tags=list(photo.tags),
        unfinished=list(photo.unsuccessful),
        thumbnail=thumbnail_url(photo, words) if photo.kept else "",
        sureness=photo.sureness.value if photo.sureness else "",
    )


def present_operations(operations: health.Operations) -> operations_models.Operations:
    """Return what runs, and its health."""
    return operations_models.Operations(
        version=imaginem.__version__,
        queues=[
            operations_models.QueueDepth(name=name, messages=messages)
            for name, messages in operations.queues.items()
        ],
        engines=dict(operations.engines),
        engine_notes=dict(operations.engine_notes),
        checks=[
            operations_models.CheckResult(name=finding.name, problem=finding.problem)
            for finding in operations.findings
        ],
        poisoned=operations.poisoned,
        remains=operations.remains,
    )


def present_poisoned(entry: PoisonEntry) -> poison_models.Poisoned:
    """Return a message that could not be processed, without its body."""
    return poison_models.Poisoned(
        id=f"{entry.queue}.{entry.id}",
        queue=entry.queue,
        kind=entry.kind,
        reason=entry.reason,
        batch_id=entry.batch_id,
        job_id=entry.job_id,
        attempts=entry.attempts,
        at=entry.at,
    )


def present_poison_view(view: PoisonView) -> poison_models.PoisonedMessage:
    """Return a message that could not be processed, with its body."""
    head = present_poisoned(view.entry).model_dump()
    return poison_models.PoisonedMessage(**head, body=view.body, replay=view.plan.told)


def present_handled(handled: Handled) -> poison_models.Handled:
    """Return what became of messages."""
    left = [poison_models.LeftOver(reason=r, count=n) for r, n in handled.left.most_common()]
    return poison_models.Handled(
        done=handled.done, already=handled.already, left=left, cursor=handled.cursor
    )


def present_comparison(compared: Comparison) -> rerun_models.Comparison:
    """Return what changed in a job's outputs."""
    steps = [
        rerun_models.StepChanges(
            step=step, changes=[rerun_models.Change.model_validate(change) for change in changes]
        )
        for step, changes in compared.changes.items()
    ]
    return rerun_models.Comparison(
        batch_id=compared.batch_id,
        job_id=compared.job_id,
        before=compared.before,
        after=compared.after,
        from_step=compared.from_step,
        engines=dict(compared.engines),
        steps=steps,
    )
