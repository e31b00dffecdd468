"""Whoever dies at any call of a port, or gets no answer there: the job ends as if nothing had been.

docs/guarantees.md names each of these points, what a crash there leaves, and who mends it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from imaginem import JobContext, RetryableError
from imaginem.names import job_prefix
from imaginem.ports import Fusion
from imaginem.testing import photo_bytes
from tests.crashes import STEPS, TRIES, End, Killed, Stop, World, always, once
from tests.workbench import KEY

GUARANTEES = Path(__file__).parents[2] / "docs" / "guarantees.md"
GOOD = ("success",) * 3
SUCCEEDED = End("succeeded", GOOD, STEPS, ("row", "find", "keep"), faces=1)
FAILS = RetryableError("the service is down")


@dataclass(frozen=True)
class Way:
    """A way that a job may go, and how it ends there.

    Attributes:
        begins: brings the job to where its calls are watched, and watches.
        ends: what may be left; the first one, when nobody is stopped.
        settings: those that differ from the world's.
        blobs: how many are left; None if that is not asked.
        mended: what is left once every step works and all that is poisoned was replayed.
    """

    begins: Callable[[World], None]
    ends: tuple[End, ...] = (SUCCEEDED,)
    settings: dict[str, Any] = field(default_factory=dict)
    mended: End = SUCCEEDED
    blobs: int | None = None


def goes_on(world: World) -> None:
    world.send()
    world.watch(3)


def comes_again_and_was_recorded(world: World) -> None:
    world.send()
    world.ambush("queues.send")
    world.watch(1)


def comes_again_and_was_not_recorded(world: World) -> None:
    world.send()
    world.ambush("gallery.enrol")
    world.watch(1)


def takes_over(world: World) -> None:
    opened = {"imaginem_run": "earlier", "imaginem_delivery": "earlier"}
    world.raw_log.insert(KEY, {**opened, "job_state": "running", "find": "step 0: processing"})
    world.send()
    world.watch(1)


def is_retried(world: World) -> None:
    world.acts["find"] = once(FAILS, world.acts["find"])
    world.send()
    world.watch(2)


def is_given_up(world: World) -> None:
    world.acts["find"] = always(FAILS)
    world.send()
    world.watch(1)


def has_a_defect(world: World) -> None:
    world.acts["find"] = always(ZeroDivisionError())
    world.send()
    world.watch(1)


def had_a_defect_each_time(world: World) -> None:
    world.acts["find"] = always(ZeroDivisionError())
    world.send()
    for _ in range(TRIES - 1):
        world.deliver_all()
    world.watch(2)


def had_a_defect_once(world: World) -> None:
    world.acts["keep"] = once(ZeroDivisionError(), world.acts["keep"])
    world.send()
    world.watch(4)


def kills_its_worker(world: World) -> None:
    world.acts["keep"] = always(Killed())
    world.send()
    for _ in range(TRIES):
        world.deliver_all()
    world.watch(2)


def was_recorded_and_never_sent_on(world: World) -> None:
    world.send()
    world.ambush("queues.send", TRIES)
    world.watch(2)


def never_began(world: World) -> None:
    world.send()
    world.ambush("log.insert", TRIES)
    world.watch(2)


def is_no_job(world: World) -> None:
    world.raw_queues.send("find", "hello")
    world.watch(1)


def becomes_too_large(world: World) -> None:
    link = {"linked_content": f"https://memory.test/largemessages/batch-1/job-1/{'x' * 800}"}
    world.send(outputs={f"output{number}": link for number in range(70)})
    world.watch(1)


def is_cancelled(world: World) -> None:
    world.send()
    world.services.cancellations.cancel("batch-1")
    world.watch(1)


def waits_since_its_batch_is_paused(world: World) -> None:
    world.pause()
    world.send()
    world.watch(3)
    for _ in range(3):
        world.deliver_all()
    world.pause(resume=True)


def is_paused_between_two_steps(world: World) -> None:
    finds = world.acts["find"]

    def finds_and_pauses(job: JobContext) -> None:
        finds(job)
        if world.executions["find"] == 1:  # not if it comes again when the batch goes on
            world.pause()

    world.acts["find"] = finds_and_pauses
    world.send()
    world.watch(3)
    for _ in range(3):
        world.deliver_all()
    world.pause(resume=True)


def is_replayed(world: World) -> None:
    world.acts["find"] = always(ZeroDivisionError())
    world.send()
    world.play()
    world.mend()
    world.watch(1)
    world.replay_all()


def is_erased_while_its_photo_is_fetched(world: World) -> None:
    """What the execution writes after that: our copy of the photo."""

    def fetch(url: str) -> bytes:
        world.erase()
        return photo_bytes()

    world.services.fetch = fetch
    world.send()
    world.watch(1)


def is_erased_while_a_step_runs(world: World) -> None:
    """What the execution writes after that: a crop and a large output. SQL refuses its faces."""
    enrols = world.acts["keep"]

    def crops_and_enrols(job: JobContext) -> None:
        world.erase()
        world.services.blobs.put("faces", f"{job_prefix(*KEY)}face.png", b"face", "image/png")
        world.services.blobs.put("largemessages", f"{job_prefix(*KEY)}x", b"{}", "text/json")
        enrols(job)

    world.acts["keep"] = crops_and_enrols
    world.send()
    world.watch(2)


def comes_again_and_was_recorded_in_part(world: World) -> None:
    world.send()
    world.ambush("gallery.enrol", 2)  # the second time, each step is recorded at once
    world.watch(2)


def was_recorded_in_part_and_never_sent_on(world: World) -> None:
    world.acts["keep"] = once(ZeroDivisionError(), world.acts["keep"])
    world.send()
    world.ambush("queues.send delayed", 1)
    world.ambush("queues.send", TRIES - 1)
    world.watch(2)


def waits_for_others_in_vain(world: World) -> None:
    world.send()
    world.watch(2)


def completes_the_count(world: World) -> None:
    world.send(job_id="job-2")
    world.deliver_all()
    world.send()
    world.watch(1)


def is_in_a_sheet_whose_worker_dies(world: World) -> None:
    world.send(job_id="job-2")
    world.deliver_all()
    world.send()
    world.ambush("log.merge success")
    world.watch(4)


POISONED_AT_FIRST = End("failed", ("poisoned", "waiting", "waiting"))
DEFECT = replace(POISONED_AT_FIRST, poison=(("find", "ZeroDivisionError"),))
NOTHING = End("")
BURIED = "find failed 5 times; the host's log has the details"
NO_JOB = End("", poison=(("find", "the message is neither JSON nor base64 of JSON"),))
TOO_LARGE = End(
    "failed",
    ("failed", "waiting", "waiting"),
    poison=(("find", "the message stays over 49152 bytes"),),
)
WAYS = {
    "goes its way": Way(goes_on),
    "comes again and was recorded": Way(comes_again_and_was_recorded),
    "comes again and was not recorded": Way(comes_again_and_was_not_recorded),
    "takes a job over": Way(takes_over),
    "is retried": Way(is_retried, settings={"retry_seconds": 2}),
    "is given up": Way(
        is_given_up,
        (
            End(
                "failed",
                ("failed", "skipped", "success"),
                ("report",),
                ("row",),
                poison=(("find", "RetryableError"),),
            ),
        ),
        {"max_attempts": 1},
    ),
    "has a defect": Way(has_a_defect, (DEFECT,)),
    "had a defect each time": Way(
        had_a_defect_each_time,
        (DEFECT, replace(DEFECT, poison=(("find", "StorageUnavailable"),))),  # down in the end
    ),
    "had a defect once": Way(had_a_defect_once),
    "kills its worker": Way(
        kills_its_worker,
        (
            End(
                "failed",
                ("success", "poisoned", "waiting"),
                ("find",),
                poison=(("keep", BURIED.replace("find", "keep")),),
            ),
        ),
    ),
    "was recorded and never sent on": Way(
        was_recorded_and_never_sent_on,
        (
            End(
                "failed",
                ("success", "poisoned", "waiting"),
                ("find",),
                poison=(("keep", "find is done"),),
            ),
        ),
    ),
    "never began": Way(never_began, (replace(POISONED_AT_FIRST, poison=(("find", BURIED),)),)),
    "is no job": Way(
        is_no_job,
        (NO_JOB,),
        mended=NO_JOB,
    ),
    "becomes too large": Way(becomes_too_large, (TOO_LARGE,), mended=TOO_LARGE),
    "is cancelled": Way(
        is_cancelled,
        (
            End("cancelled", ("skipped", "waiting", "waiting")),
            # the list of cancelled batches could not be read: the next step sees it
            End("cancelled", ("success", "skipped", "waiting"), ("find",)),
        ),
    ),
    "waits since its batch is paused": Way(waits_since_its_batch_is_paused),
    "is paused between two steps": Way(is_paused_between_two_steps),
    "is replayed": Way(is_replayed),
    "is erased while its photo is fetched": Way(
        is_erased_while_its_photo_is_fetched, (NOTHING,), blobs=0
    ),
    "is erased while a step runs": Way(is_erased_while_a_step_runs, (NOTHING,), blobs=0),
}


FUSED = {"fusion": Fusion(every=True)}
WAYS |= {
    "fused: goes its way": Way(goes_on, settings=FUSED),
    "fused: waits since its batch is paused": Way(waits_since_its_batch_is_paused, settings=FUSED),
    "fused: is paused between two steps": Way(is_paused_between_two_steps, settings=FUSED),
    "fused: comes again and was recorded in part": Way(
        comes_again_and_was_recorded_in_part, settings=FUSED
    ),
    "fused: had a defect once": Way(had_a_defect_once, settings={**FUSED, "retry_seconds": 2}),
    "fused: kills its worker": Way(
        kills_its_worker,
        (
            *WAYS["kills its worker"].ends,
            replace(WAYS["kills its worker"].ends[0], poison=(("keep", "StorageUnavailable"),)),
        ),
        FUSED,
    ),
    "fused: was recorded in part and never sent on": Way(
        was_recorded_in_part_and_never_sent_on,
        WAYS["was recorded and never sent on"].ends,
        {**FUSED, "retry_seconds": 2},
    ),
    "fused: is erased while a step runs": Way(
        is_erased_while_a_step_runs, (NOTHING,), FUSED, blobs=0
    ),
}


GROUPED = {"grouped": True}
WAYS |= {
    "group: waits for others in vain": Way(waits_for_others_in_vain, settings=GROUPED),
    "group: completes the count": Way(completes_the_count, settings=GROUPED),
    "group: is in a sheet whose worker dies": Way(
        is_in_a_sheet_whose_worker_dies, settings=GROUPED
    ),
}


def play(way: Way, stop: Stop | None = None) -> World:
    world = World(stop, **way.settings)
    way.begins(world)
    world.play()
    return world


def calls_of(way: Way) -> list[str]:
    return play(way).journal.calls


POINTS = [
    pytest.param(name, Stop(number, after, dies), id=f"{name}-{number}-{call}-{when}-{how}")
    for name, way in WAYS.items()
    for number, call in enumerate(calls_of(way), 1)
    for after, when in ((False, "before"), (True, "after"))
    for dies, how in ((True, "dies"), (False, "no answer"))
]


@pytest.mark.parametrize("name", WAYS)
def test_a_job_that_nobody_stops_ends_so(name: str) -> None:
    world = play(WAYS[name])

    assert world.end() == WAYS[name].ends[0]
    assert world.repeated == []
    assert world.unsuccessful_neighbours() == []


@pytest.mark.parametrize(("name", "stop"), POINTS)
def test_whoever_stops_at_a_call_leaves_the_same_job(name: str, stop: Stop) -> None:
    way = WAYS[name]
    world = play(way, stop)

    assert len(world.journal.calls) >= stop.call, "nobody was stopped"
    assert world.end() in way.ends
    assert way.blobs in (None, len(world.blobs())), world.blobs()
    assert world.repeated == [], "a step ran again that was recorded"
    assert world.unsuccessful_neighbours() == []

    if way.ends[0].poison:
        world.mend()
        world.replay_all()
        assert world.end() == way.mended
        assert world.repeated == []


def test_the_guarantees_name_each_point() -> None:
    found = list(dict.fromkeys(call for way in WAYS.values() for call in calls_of(way)))
    section = GUARANTEES.read_text().partition("crash points\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| (\w+) \| `([^`]+)`", section, re.MULTILINE)

    assert [f"{actor}: {call}" for _, actor, call in rows] == found
    assert [int(number) for number, _, _ in rows] == list(range(1, len(found) + 1))
