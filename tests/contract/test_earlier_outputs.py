"""Outputs from before a rerun: in memory, on SQLite and on PostgreSQL alike."""

from datetime import UTC, datetime

import pytest

from imaginem.ports import EARLIER_KEPT, EarlierOutput, EarlierOutputs, JobKey
from tests.contract.rows import ONE, THREE
from tests.stores import Stores


@pytest.fixture
def earlier(stores: Stores) -> EarlierOutputs:
    return stores.earlier_outputs


def output(key: JobKey, day: int, **outputs: object) -> EarlierOutput:
    made = datetime(2026, 5, day, 1, 2, 3, 456789, UTC)
    return EarlierOutput(*key, made, outputs, "ocr", {"ocr": "azure"})


def test_an_output_is_kept_as_it_was(earlier: EarlierOutputs) -> None:
    kept = output(ONE, 1, ocr={"full_text": "ü"}, facedetection={"faces": []})
    earlier.keep(kept)
    assert list(earlier.of_job(ONE)) == [kept]
    assert list(earlier.of_job(THREE)) == []


def test_the_same_moment_is_kept_once(earlier: EarlierOutputs) -> None:
    earlier.keep(output(ONE, 1, a=1))
    earlier.keep(output(ONE, 1, a=2))
    assert [each.job_output for each in earlier.of_job(ONE)] == [{"a": 2}]


def test_the_latest_are_kept_the_latest_first(earlier: EarlierOutputs) -> None:
    for day in (2, 5, 1, 4, 3):
        earlier.keep(output(ONE, day))
        earlier.keep(output(THREE, day))
    assert [each.made.day for each in earlier.of_job(ONE)] == [5, 4, 3]
    assert len(earlier.of_job(THREE)) == EARLIER_KEPT


def test_they_are_erased_with_their_job_or_batch(earlier: EarlierOutputs) -> None:
    other = (ONE[0], "another")
    for key in (ONE, other, THREE):
        earlier.keep(output(key, 1))
    for _ in range(2):
        earlier.erase(ONE)
    assert [len(earlier.of_job(key)) for key in (ONE, other, THREE)] == [0, 1, 1]
    for _ in range(2):
        earlier.erase_batch(ONE[0], [])
    assert [len(earlier.of_job(key)) for key in (other, THREE)] == [0, 1]
