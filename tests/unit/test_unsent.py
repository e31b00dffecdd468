"""A photo whose job was not sent after all is found by erasing, and removed after a day."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from imaginem.errors import NotFound, StorageUnavailable
from imaginem.storage import FileRemains
from imaginem.testing import MemoryServices, photo_bytes
from imaginem.usecases.admission import Admission, Wish, admit
from imaginem.usecases.erase import forget_batch, forget_job
from imaginem.usecases.unsent import remove_unsent, withdraw
from imaginem.usecases.watchdog import Watchdog

KEY = ("b", "mine")
PHOTO = photo_bytes()


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


def ask(services: MemoryServices) -> Admission:
    return admit(services, Wish(*KEY, PHOTO, ("ocr",), job_id=KEY[1]))


def fails_to_send(services: MemoryServices) -> None:
    """Ask for a job whose photo is put, and which is not sent."""
    working = services.queues.send

    def fail(*_: object, **__: object) -> str:
        raise StorageUnavailable("queue storage did not answer")

    services.queues.send = fail  # type: ignore[method-assign]
    with pytest.raises(StorageUnavailable):
        ask(services)
    services.queues.send = working  # type: ignore[method-assign]
    assert photos(services)
    assert services.submissions.submission(KEY) is None


def photos(services: MemoryServices) -> list[str]:
    return services.blobs.list("inputimages", "b/mine/")


def later(**by: float) -> Any:
    return lambda: datetime.now(UTC) + timedelta(**by)


def test_it_is_removed_when_no_job_has_had_it_for_a_day(services: MemoryServices) -> None:
    fails_to_send(services)
    assert (remove_unsent(services, later(hours=23)), len(photos(services))) == (0, 1)
    assert remove_unsent(services, later(hours=25)) == 1
    assert photos(services) == []
    assert services.shared_state.list("unsent-") == {}


def test_that_it_was_removed_is_noted_since_its_bytes_may_still_lie_on_this_disk(
    services: MemoryServices, tmp_path: Path
) -> None:
    services.remains = FileRemains(tmp_path, lambda: None)
    fails_to_send(services)
    remove_unsent(services, later(hours=23))
    assert not services.remains.waiting
    remove_unsent(services, later(hours=25))
    assert services.remains.waiting


def test_it_stays_if_its_job_was_sent_since(services: MemoryServices) -> None:
    fails_to_send(services)
    assert ask(services).sent
    assert remove_unsent(services, later(hours=25)) == 0
    assert photos(services)
    assert services.shared_state.list("unsent-") == {}


def test_one_that_is_put_again_at_that_moment_stays(services: MemoryServices) -> None:
    fails_to_send(services)
    read, quick = services.results.read, [True]

    def is_overtaken(key: Any) -> Any:
        found = read(key)
        if quick.pop() if quick else False:
            assert ask(services).sent
        return found

    services.results.read = is_overtaken  # type: ignore[method-assign]
    remove_unsent(services, later(hours=25))
    assert photos(services)


def test_what_somebody_dropped_in_the_folder_stays(services: MemoryServices) -> None:
    services.blobs.put("inputimages", "b/mine/theirs.png", PHOTO, "image/png")
    withdraw(services, KEY)
    assert remove_unsent(services, later(hours=25)) == 0
    assert photos(services) == ["b/mine/theirs.png"]


@pytest.mark.parametrize("erase", [lambda s: forget_job(s, KEY), lambda s: forget_batch(s, "b")])
def test_erasing_finds_it(services: MemoryServices, erase: Any) -> None:
    fails_to_send(services)
    erase(services)
    assert photos(services) == []
    assert services.shared_state.list("unsent-") == {}
    with pytest.raises(NotFound):
        erase(services)


def test_a_photo_whose_sender_died_is_noted_when_the_watchdog_withdraws_it(
    services: MemoryServices,
) -> None:
    put = services.blobs.put

    def dies(*given: Any, **named: Any) -> str:
        put(*given, **named)
        raise KeyboardInterrupt

    services.blobs.put = dies  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        ask(services)
    assert services.submissions.submission(KEY) is not None

    period = timedelta(minutes=5)
    Watchdog(services, services.open_batches, period, (), later(minutes=30)).watch()
    assert services.submissions.submission(KEY) is None
    assert remove_unsent(services, later(hours=25)) == 1


def test_the_record_stays_as_long_as_the_photo_can_not_be_noted(services: MemoryServices) -> None:
    services.submissions.claim(KEY, "")

    def fail(*_: object, **__: object) -> str:
        raise StorageUnavailable("table storage did not answer")

    services.shared_state.write = fail  # type: ignore[method-assign]
    withdraw(services, KEY)
    assert services.submissions.submission(KEY) is not None
