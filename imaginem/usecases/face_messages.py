"""Erasing a face from the messages that are kept of its job."""

import uuid
from collections.abc import Collection
from dataclasses import replace

from imaginem.ports import DashboardServices, JobKey, PoisonEntry
from imaginem.usecases.erasables import PoisonedMessages
from imaginem.usecases.face_traces import without_in_message


def forget_in_submission(
    services: DashboardServices, key: JobKey, ids: Collection[uuid.UUID]
) -> None:
    """Remove a face from the message of the job's submission: that of a rerun has outputs."""
    sent = services.submissions.submission(key)
    text = services.submissions.message(key) if sent is not None else ""
    kept = without_in_message(text, ids)
    if sent is not None and kept != text:
        services.submissions.correct(key, sent.run, kept)


def poisoned_without(
    services: DashboardServices, key: JobKey, ids: Collection[uuid.UUID]
) -> list[PoisonEntry]:
    """Return the poisoned messages of the job that name a face, as they are without it."""
    entries = PoisonedMessages(services.poison).of_job(key)
    cleaned = [(entry, without_in_message(entry.body, ids)) for entry in entries]
    return [replace(entry, body=body) for entry, body in cleaned if body != entry.body]
