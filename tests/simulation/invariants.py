"""What must hold when a run has come to rest."""

import json
from typing import TYPE_CHECKING, Any

from imaginem.errors import PermanentError
from imaginem.names import job_prefix
from imaginem.pipeline.claimed_ids import ids_in
from imaginem.pipeline.gathering import PREFIX
from imaginem.pipeline.offload import expand, expand_all
from imaginem.pipeline.progress_row import ProgressRow, read_row
from imaginem.pipeline.states import StepState
from imaginem.ports import JobKey
from imaginem.usecases.at_work import is_at_work
from imaginem.usecases.unsent import is_noted
from tests.simulation.ledger import BrokenInvariant
from tests.simulation.plan import Event
from tests.simulation.steps import BLIND, NO_PHOTO, faces_of

if TYPE_CHECKING:
    from tests.simulation.world import World


def check(world: "World") -> None:
    """Look at everything.

    Raises:
        BrokenInvariant: names the first thing that does not hold.
    """
    left = world.queues.left()
    if left:
        raise BrokenInvariant(f"a message stays on {left[0][0]}: {left[0][1][:300]}")
    for instance, actor in world.machine.instances.values():
        if actor.thread.dead or instance.in_hand is not None:
            raise BrokenInvariant(f"{instance.name} hangs")
    for key in sorted(world.ledger.accepted):
        _has_ended(world, key)
    for entry in world.stores.log.rows():
        _agrees(world, ProgressRow(entry))
    _nobody_gathers(world)
    for key in sorted(world.ledger.erased):
        _is_gone(world, key)
    for batch, job, _ in world.plan.jobs:
        _has_owner(world, (batch, job))


def at_work(world: "World") -> bool:
    """Tell whether a job that anybody knows of has not ended."""
    keys = {
        *world.ledger.accepted,
        *((entry.batch_id, entry.job_id) for entry in world.stores.log.rows()),
    }
    return any(
        is_at_work(read_row(world.stores.log, key), world.stores.sql.submissions.submission(key))
        for key in keys
    )


def _has_ended(world: "World", key: JobKey) -> None:
    """Check that an accepted job has ended, was erased, or says why it did not."""
    row = read_row(world.stores.log, key)
    ended, was_erased = row is not None and row.has_ended, key in world.ledger.touched
    if ended or (row is None and was_erased):
        sent = world.stores.sql.submissions.submission(key)
        if world.is_watched and is_at_work(row, sent):
            raise BrokenInvariant(f"{key} has ended or was erased, but counts as queued")
        return
    poisoned = [e for e in world.stores.poison.list() if ids_in(e.body) == key and e.reason]
    if not poisoned and is_half_erased(world, key):
        return
    if not poisoned:
        raise BrokenInvariant(f"{key} is lost: {'no row' if row is None else row.as_json()}")
    world.happened["jobs that only a poison entry tells of"] += 1


def is_half_erased(world: "World", key: JobKey) -> bool:
    """Tell whether an erasure failed, and there is no watchdog that completes it."""
    return not world.is_watched and _is_begun(world, key)


def _is_begun(world: "World", key: JobKey) -> bool:
    erased = world.services.erased
    return erased.is_begun(*key) or erased.is_begun(key[0])


def _agrees(world: "World", row: ProgressRow) -> None:
    """Check a row against itself and what its steps left elsewhere."""
    if not row.has_ended:
        poisoned = [e for e in world.stores.poison.list() if ids_in(e.body) == row.key]
        if not (poisoned or is_half_erased(world, row.key)):
            raise BrokenInvariant(f"{row.key} is {row.job_state} for ever")
    _is_kept(world, row)
    promised = row.key in world.ledger.accepted - world.ledger.touched
    if promised and row.reason_of("looks").endswith(NO_PHOTO):
        raise BrokenInvariant(f"the photo of {row.key} is lost")
    if not row.job_output or row.key in world.ledger.touched:
        return  # what was erased under a message that was on its way may be anything
    try:
        outputs = _outputs(world, row)
    except PermanentError as problem:
        _is_excused(world, "large outputs that the emulator lost", f"{row.key}: {problem}")
        return
    _is_of_one_piece(world, row, outputs)
    _agrees_with_sql(world, row, outputs)


def _nobody_gathers(world: "World") -> None:
    """Check that no job counts as one that waits for others."""
    left = world.stores.shared_state.list(PREFIX)
    if left and not _may_lose(world):
        raise BrokenInvariant(f"a job counts as waiting for others: {left}")


def _is_kept(world: "World", row: ProgressRow) -> None:
    """Check that what a poisoned step could not process is kept with its reason."""
    if row.key in world.ledger.touched:
        return
    entries = [e for e in world.stores.poison.list() if ids_in(e.body) == row.key and e.reason]
    kept = {entry.queue for entry in entries}
    for name in row.pipeline:
        if row.state_of(name) is StepState.POISONED and name not in kept:
            if not _may_lose(world):
                raise BrokenInvariant(f"{row.key}: {name} is poisoned, but nothing was kept of it")
            world.happened["poisoned messages that were lost"] += 1


def _may_lose(world: "World") -> bool:
    """Tell whether a message was lost in this run."""
    lost = (Event.LOSE, Event.LOSE_ALL, Event.CLEAR, Event.CRASH)
    return bool(world.plan.loss_rate) or any(world.happened[event] for event in lost)


def _is_of_one_piece(world: "World", row: ProgressRow, outputs: dict[str, Any]) -> None:
    """Check that states and outputs are the row's, each made from the one before it."""
    successful = [name for name in row.pipeline if row.state_of(name) is StepState.SUCCESS]
    if sorted(outputs) != sorted(successful):
        raise BrokenInvariant(f"{row.key}: outputs {sorted(outputs)}, successes {successful}")
    chain = ""
    for name in successful:
        recorded = expand(json.loads(row.output_of(name)), row.key, world.stores.blobs)
        if recorded != outputs[name]:
            broken = f"{row.key}: the row and the job's output differ at {name}"
            _is_excused(world, "outputs of two executions after the emulator died", broken)
        made = outputs[name]["what"].strip()
        if made.rpartition(">")[0] != ("" if name in BLIND else chain):
            broken = f"{row.key}: {name} was made from another run's output: {made}"
            _is_excused(world, "outputs of two executions after the emulator died", broken)
        chain = made


def _is_excused(world: "World", what: str, broken: str) -> None:
    """Count what may come after the emulator died, and only then."""
    if not world.happened["emulator died"]:
        raise BrokenInvariant(broken)
    world.happened[what] += 1


def _outputs(world: "World", row: ProgressRow) -> dict[str, Any]:
    final = expand(json.loads(row.job_output), row.key, world.stores.blobs)
    return expand_all(final["job_output"], row.key, world.stores.blobs)


def _agrees_with_sql(world: "World", row: ProgressRow, outputs: dict[str, Any]) -> None:
    if "report" in outputs:
        result = world.stores.sql.results.read(row.key)
        before = {name: output for name, output in outputs.items() if name != "report"}
        if result is None:
            raise BrokenInvariant(f"{row.key} has no result in SQL")
        if dict(result.job_output) != before:
            broken = f"{row.key}: the result in SQL is not the row's"
            _is_excused(world, "results in SQL of a run that the emulator forgot", broken)
    if "faces" in outputs:
        faces = {face.face_id for face in world.stores.sql.gallery.faces_of(row.key)}
        if faces != {face.face_id for face in faces_of(row.key)}:
            raise BrokenInvariant(f"{row.key}: the gallery has {len(faces)} faces of the job")


def _has_owner(world: "World", key: JobKey) -> None:
    """Check that a photo is a job's, or will be removed."""
    stores = world.stores
    if not stores.blobs.list(world.services.core_settings.input_container, job_prefix(*key)):
        return
    known = read_row(stores.log, key) or stores.sql.submissions.submission(key)
    if not (known or _is_begun(world, key) or is_noted(world.services, *key)):
        broken = f"nothing tells of the photo of {key}"
        _is_excused(world, "photos of which the emulator lost the note", broken)


def may_have_unknown_runs(world: "World") -> bool:
    """Tell whether SQL may have been told of no mark: a run was made up, or the clock jumped."""
    return bool(world.happened[Event.JUMP] or world.happened[Event.FORGE])


def _was_given_up(world: "World", key: JobKey, left: list[str]) -> bool:
    """Tell whether of a message that failed each time nothing but itself is left, unprocessed."""
    row = read_row(world.stores.log, key)
    if row is None or any(not name.startswith("pipelinepoison/") for name in left[:-1]):
        return False
    return left[-1] == "pipelinelogs" and row.state_of(row.pipeline[0]) is StepState.POISONED


def _is_gone(world: "World", key: JobKey) -> None:
    """Check that nothing is left of a job that was erased."""
    stores, folder = world.stores, job_prefix(*key)
    containers = sorted(stores.blobs.containers)
    left = [
        f"{container}/{name}"
        for container in containers
        for name in stores.blobs.list(container, folder.removesuffix("/"))
        if name == folder.removesuffix("/") or name.startswith(folder)
    ]
    left += [f"pipelinepoison/{e.id}" for e in stores.poison.list() if ids_in(e.body) == key]
    waiting = (text for text, _ in stores.shared_state.list(PREFIX).values())
    left += ["gathering"] if any(tuple(json.loads(text)["key"]) == key for text in waiting) else []
    left += ["pipelinelogs"] if read_row(stores.log, key) else []
    left += ["submission"] if stores.sql.submissions.submission(key) else []
    written = ["pipeline_output"] if stores.sql.results.read(key) else []
    written += ["face"] if stores.sql.gallery.faces_of(key) else []
    if written and not may_have_unknown_runs(world):  # SQL refuses it, whatever is lost
        raise BrokenInvariant(f"{key} was erased, but there is {', '.join(written)} in SQL")
    left += written
    unpromised = (Event.LOSE, Event.LOSE_ALL, Event.CLEAR, Event.JUMP)
    if left and (world.plan.loss_rate or any(world.happened[event] for event in unpromised)):
        world.happened["erased jobs of which something is left, as is said to be possible"] += 1
    elif left and _was_given_up(world, key, left):
        world.happened["erased jobs whose first message failed each time, and was kept"] += 1
    elif left:
        raise BrokenInvariant(f"{key} was erased, but there is {', '.join(left)}")
