"""What an execution does whose job was erased: it takes away what it wrote, and drops the message.

An erasure empties every store before and after it removes the row. What an execution writes
later is found by the execution itself: it can't record its step any more.
"""

import logging
from datetime import UTC, datetime

from imaginem.errors import InvalidMessage
from imaginem.message import JobMessage, decode_message
from imaginem.names import stored_run
from imaginem.pipeline.advance import Transition
from imaginem.pipeline.claimed_ids import ids_in
from imaginem.pipeline.loading import Delivery, runs_of
from imaginem.pipeline.progress_row import ProgressRow, read_row
from imaginem.pipeline.source import own_photos, remove_photos
from imaginem.ports import Erasable, ErasableRuns, JobKey, Services
from imaginem.redaction import without_query

_logger = logging.getLogger("imaginem.process")
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_NOT_WRITTEN_BY_STEPS = ("landing", "pipelinedrops", "submission", "pipelinelogs")


def is_erased(services: Services, message: JobMessage, delivery: Delivery) -> bool:
    """Tell whether a message is of something that was erased.

    Erasing removes the job's submission. So one that is there and names the message is a later
    one, even if a clock that was set back makes the message look older than the tombstone.
    """
    key, runs = message.key, runs_of(message, delivery)
    if not services.erased.covers(key, runs, delivery.put):
        return False
    if services.erased.covers(key, runs, None):
        return True
    sent = services.submissions.submission(key)
    return sent is None or sent.run not in {"", *runs}


def is_given_up_erased(services: Services, message: JobMessage, delivery: Delivery) -> bool:
    """Tell the same of a message on a poison queue, to which the host may have moved it later.

    Where neither a row nor SQL knows a later job, it is of the one that was erased; so it is where
    what they know is of a run that is known as erased by now.
    """
    key = message.key
    if not services.erased.covers(key, runs_of(message, delivery), _LONG_AGO):
        return False
    if is_erased(services, message, delivery):
        return True
    row = read_row(services.log, key)
    if row is not None:  # opened by an execution that died before it looked
        return _is_of_erased_run(row, services)
    sent = services.submissions.submission(key)  # its sender may have noted it after the erasure
    return sent is None or services.erased.covers(key, {sent.run}, None)


def _is_of_erased_run(row: ProgressRow, services: Services) -> bool:
    """Tell whether a row's run was erased, or its message put on its queue before its job was."""
    return services.erased.covers(row.key, {row.run}, row.put)


def stop_given_up(message: JobMessage, delivery: Delivery, services: Services) -> None:
    """Drop a message on a poison queue whose job was erased, and what was opened by it."""
    row = read_row(services.log, message.key)
    if row is not None and _is_of_erased_run(row, services):
        stop_erased(message.noting(run=row.run), delivery, services)
    else:
        dropped(message.current, services)


def is_erased_body(services: Services, body: str, delivery: Delivery) -> bool:
    """Tell whether a message that is no job message names something that was erased."""
    key = ids_in(body)
    return any(key) and services.erased.covers(key, (delivery.id,), delivery.put)


def stop_erased(message: JobMessage, delivery: Delivery, services: Services) -> Transition:
    """Take away what an execution wrote for a job that was erased, and drop its message.

    If the job was sent again since, its stores are those of the later run, and stay.
    """
    key, runs = message.key, runs_of(message, delivery)
    # The erasure may not have known this run. Only the queue's own id: others may be made up.
    services.erased.add_runs(key[0], {key[1]: [delivery.id]})
    services.photos.forget(message.job_definition.bookkeeping.run or delivery.id)
    services.poison.drop(message.current, delivery.id)
    photos = own_photos(services, key)  # before it is asked whose they are
    row, sent = read_row(services.log, key), services.submissions.submission(key)
    if row is None or row.run in runs:
        services.remains.note()
        if sent is not None and sent.run not in runs:  # a later run's photo stays
            named = _photo_named(services, key)
            photos = [photo for photo in photos if photo.name != named]
            remove_photos(services, photos, sent.photo)
        else:
            remove_photos(services, photos)
        of_runs = sorted(map(stored_run, runs))
        for store in written_by_steps(services):
            if isinstance(store, ErasableRuns):
                store.erase_runs(key, of_runs)  # a later run may have ended by now
            else:
                store.erase(key)
        if row is not None:  # of an execution that died before it looked
            services.log.delete(key, row.fence)
        services.remains.wipe()
    return dropped(message.current, services)


def _photo_named(services: Services, key: JobKey) -> str:
    """Return the blob that the message of a job's submission names; empty if it is not ours."""
    try:
        message = decode_message(
            services.submissions.message(key), services.core_settings.default_pipeline
        )
    except InvalidMessage:
        return ""
    place = services.blobs.locate(without_query(message.job_definition.input.image_url))
    return place[1] if place and place[0] == services.core_settings.input_container else ""


def written_by_steps(services: Services) -> list[Erasable]:
    """Return the stores to which executions write what a job's steps find."""
    others = {*_NOT_WRITTEN_BY_STEPS, services.core_settings.input_container}
    return [store for store in services.erasables if not others & set(store.holds)]


def dropped(queue: str, services: Services) -> Transition:
    """Count a message that is dropped since its job was erased."""
    services.telemetry.count("imaginem.erased", step=queue)
    _logger.info("%s: dropped, its job was erased", queue)
    return Transition("erased")
