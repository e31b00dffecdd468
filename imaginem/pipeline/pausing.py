"""What a job does whose batch is paused: its message goes back on its queue with a delay.

Waiting is no try: nothing is counted, and no step runs. A job that has begun goes back as it came,
without a write to its row. One that has not begun begins, so that however often its message
comes back, and even if whoever put it back died before the old one was deleted, it stays one run
of the job. The next delivery reads the row before its step runs.
"""

import random

from imaginem.message import JobMessage
from imaginem.pipeline.advance import Outgoing, Transition
from imaginem.pipeline.budgets import pause_if_used_up
from imaginem.pipeline.fence import Claim
from imaginem.pipeline.fused import FusedRun
from imaginem.pipeline.loading import Delivery
from imaginem.pipeline.offload import fit
from imaginem.pipeline.paused_batches import LONGEST_WAIT
from imaginem.pipeline.progress_row import RowChange
from imaginem.pipeline.sheets import APART
from imaginem.pipeline.stopping import is_erased
from imaginem.ports import JobErased, Services

_SHORTEST_WAIT = 5.0
_JITTER = 1.25


def paused_delay(paused_for: float) -> float:
    """Return the seconds until a message looks again: half as long as the pause has lasted.

    So waiting costs little however long a pause lasts, and who ends one waits for the last job
    half as long as it lasted, ten minutes at most.

    Args:
        paused_for: seconds for which the batch has been paused.
    """
    growing = min(max(paused_for / 2, _SHORTEST_WAIT), LONGEST_WAIT / _JITTER)
    return growing * random.uniform(1.0, _JITTER)  # noqa: S311 - spreads load, guards nothing


def may_wait(message: JobMessage, delivery: Delivery) -> bool:
    """Tell whether a message may go back without a look at its job's row.

    Not if it was delivered before: then its step may be recorded, and nothing sent on yet. Only
    this very message, by its id, can find that out.
    """
    kept = message.job_definition.bookkeeping
    return bool(kept.run and kept.fence) and not kept.ends and delivery.dequeue_count == 1


def is_gathering(message: JobMessage) -> bool:
    """Tell whether a message holds a job that waits for others at a group step.

    It may go back however often it was delivered: the job is recorded under the token of its wait.
    """
    kept = message.job_definition.bookkeeping
    return kept.gathering not in ("", APART) and not kept.ends


def wait_if_paused(
    message: JobMessage, run: FusedRun, claim: Claim | None = None
) -> Transition | None:
    """Put a message back if its batch is paused; None if it is not.

    Args:
        message: that was delivered.
        run: the delivery.
        claim: on the job; None for one that has begun, whose row need not be touched.

    Raises:
        JobErased: the job was erased while it waited.
    """
    paused_for = _paused_for(run.services, message.job_definition.batch_id)
    if paused_for is None:
        return None
    if claim is not None:
        message = message.noting(run=claim.run, fence=claim.fence)
    elif is_erased(run.services, message, run.delivery):  # what it carries must not lie there on
        raise JobErased
    return _back(message, run, paused_for)


def wait_between(message: JobMessage, run: FusedRun) -> Transition | None:
    """Record what a fused run has found, and let the next step wait if its batch is paused.

    Raises:
        AlreadyConcluded, JobErased: as recording does.
    """
    paused_for = _paused_for(run.services, message.job_definition.batch_id)
    if paused_for is None:
        return None
    claim = run.recorder.write(RowChange())
    return _back(message.noting(run=claim.run, fence=claim.fence), run, paused_for)


def _paused_for(services: Services, batch_id: str) -> float | None:
    """Return for how many seconds a batch is paused, by its budget just now if that is used up."""
    paused_for = services.pauses.paused_for(batch_id)
    if paused_for is None:
        pause_if_used_up(services, batch_id)
        paused_for = services.pauses.paused_for(batch_id)
    return paused_for


def _back(message: JobMessage, run: FusedRun, paused_for: float) -> Transition:
    if not is_gathering(message) or run.delivery.dequeue_count > 1:
        message = message.noting(look=True)
    waits = fit(message, run.services.blobs)
    return Transition("paused", Outgoing(waits.current, waits.encode(), paused_delay(paused_for)))
