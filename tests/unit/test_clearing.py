"""Clearing a queue: each job whose message is removed ends, and says why."""

import json
from datetime import timedelta

import pytest

from imaginem.errors import NotFound
from imaginem.pipeline.process import Delivery, process_step
from imaginem.testing import message_for
from imaginem.usecases.batches import batch_overview
from imaginem.usecases.clearing import REASON, clear_queue
from imaginem.usecases.erase import forget_job
from imaginem.usecases.submit import send_message
from tests.workbench import KEY
from tests.yard import Yard


@pytest.fixture
def yard() -> Yard:
    return Yard()


def test_a_job_on_its_way_ends_as_cancelled_and_says_why(yard: Yard) -> None:
    yard.submit()
    yard.run_one("first")
    cleared = clear_queue(yard.services, "second")

    assert (cleared.jobs, cleared.others, cleared.left) == (1, 0, 0)
    assert yard.state == "cancelled"
    assert yard.states("first", "second") == ["success", "skipped"]
    assert yard.entry.properties["second_exception"] == REASON == "queue cleared"
    assert yard.telemetry.times("imaginem.jobs", state="cancelled") == 1


def test_a_job_that_never_began_ends_too_and_nothing_says_queued(yard: Yard) -> None:
    yard.submit()
    clear_queue(yard.services, "first")

    assert batch_overview(yard.services, KEY[0]).jobs == {"job-1": "cancelled"}
    forget_job(yard.services, KEY)


def test_a_message_of_the_watchdog_is_cleared_as_the_one_that_it_stands_for(yard: Yard) -> None:
    run = yard.submit()
    yard.lose("first")
    yard.watch()
    clear_queue(yard.services, "first")

    assert yard.entry.properties["imaginem_run"] == run
    assert batch_overview(yard.services, KEY[0]).jobs == {"job-1": "cancelled"}


def test_what_is_no_job_is_removed_and_counted(yard: Yard) -> None:
    for body in ("nonsense", '{"job_definition": {}}', yard.message(step=1)):
        yard.services.queues.send("first", body)
    cleared = clear_queue(yard.services, "first")

    assert (cleared.jobs, cleared.others, cleared.removed) == (0, 3, 3)
    assert yard.services.queues.count("first") == 0


def test_a_duplicate_of_a_job_that_went_on_ends_nothing(yard: Yard) -> None:
    yard.submit()
    yard.run_one("first")
    duplicate = yard.services.queues.receive("second", 1, 0)[0].body
    yard.run_one("second")
    yard.services.queues.send("second", duplicate)
    cleared = clear_queue(yard.services, "second")
    yard.run()

    assert (cleared.jobs, cleared.others, yard.state) == (0, 1, "succeeded")


def test_messages_that_are_worked_on_or_delayed_stay_and_are_told(yard: Yard) -> None:
    for number in range(3):
        send_message(yard.services, message_for(yard.url, yard.names, job_id=f"job-{number}"))
    yard.services.queues.receive("first", 1, 30)
    yard.services.queues.send("first", yard.message(job_id="late"), delay=60)
    cleared = clear_queue(yard.services, "first")

    assert (cleared.jobs, cleared.left) == (2, 2)


def test_a_large_queue_is_cleared_in_lots_and_tells_how_far_it_is(yard: Yard) -> None:
    told: list[int] = []
    for number in range(70):
        yard.drop(job_id=f"job-{number}")
    cleared = clear_queue(yard.services, "first", told.append)

    assert (cleared.jobs, told) == (70, list(range(1, 71)))


def test_a_queue_that_is_missing_is_an_error(yard: Yard) -> None:
    with pytest.raises(NotFound):
        clear_queue(yard.services, "nowhere")


class Killed(BaseException):
    """The command was interrupted."""


@pytest.mark.parametrize("part", ["log.insert", "log.merge", "queues.delete"])
@pytest.mark.parametrize("done", [True, False])
def test_interrupted_anywhere_it_is_run_again(yard: Yard, part: str, done: bool) -> None:
    yard.submit()
    owner, name = getattr(yard.services, part.split(".")[0]), part.split(".")[1]
    call = getattr(owner, name)

    def dies(*given: object) -> None:
        if done:
            call(*given)
        raise Killed

    setattr(owner, name, dies)
    with pytest.raises(Killed):
        clear_queue(yard.services, "first")
    setattr(owner, name, call)
    yard.clock.move(timedelta(minutes=3))
    clear_queue(yard.services, "first")

    assert yard.state == "cancelled"
    assert yard.services.queues.count("first") == 0


def test_a_worker_that_gets_the_message_of_a_job_that_was_ended_drops_it(yard: Yard) -> None:
    """The command died before it removed the message, which comes back after its lease."""
    run = yard.submit()
    body = yard.services.queues.receive("first", 1, 0)[0].body
    clear_queue(yard.services, "first")
    late = process_step(yard.first, Delivery(body, run, 2), yard.services, yard.registry)

    assert (late.state, yard.state, yard.executed) == ("dropped", "cancelled", [])


def test_a_poison_queues_messages_end_their_jobs(yard: Yard) -> None:
    yard.submit()
    yard.run_one("first")
    yard.services.queues.send("second-poison", yard.lose("second"))
    clear_queue(yard.services, "second-poison")

    assert yard.state == "cancelled"


def test_a_message_forged_for_another_run_cancels_only_what_it_would_have_become(
    yard: Yard,
) -> None:
    yard.submit()
    yard.run_one("first")
    yard.services.queues.send("first", yard.message())
    clear_queue(yard.services, "first")
    yard.run()

    assert yard.entry.properties["imaginem_previous_runs"] != ""
    assert json.loads(yard.entry.properties["imaginem_message"])
