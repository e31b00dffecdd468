"""What is brought to its end while nothing is at work."""

from imaginem.pipeline.open_batches import NotedBatches
from imaginem.testing import MemoryServices
from imaginem.usecases.at_rest import finish_erasures
from imaginem.usecases.erase import forget_batch

STEPS = ("ocr", "pipelineoutput")


def test_the_id_of_a_batch_of_which_nothing_is_left_is_forgotten_and_no_other() -> None:
    services = MemoryServices()
    noted = NotedBatches(services.shared_state)
    for batch_id in ("erased", "stays"):
        services.log.insert((batch_id, "job"), {"job_state": "succeeded", "imaginem_run": "run"})
        noted.note(batch_id)
    services.submissions.submitted(("sent", "job"), "run")
    noted.note("sent")
    forget_batch(services, "erased")

    finish_erasures(services, STEPS)

    assert noted.noted() == ["sent", "stays"]


def test_as_long_as_a_message_waits_none_is_forgotten() -> None:
    services = MemoryServices()
    noted = NotedBatches(services.shared_state)
    noted.note("empty")
    services.queues.send("ocr", "{}")

    finish_erasures(services, STEPS)

    assert noted.noted() == ["empty"]
