"""Tombstones: in memory and on Azure Storage alike."""

import hashlib
from datetime import timedelta
from uuid import uuid4

import pytest

from imaginem.memory.erased_runs import MemoryErasedRuns
from imaginem.pipeline.erased import NotedErasures
from imaginem.ports import JobLog, Queues, SharedState, Tombstones
from imaginem.storage import AzureQueues, AzureTombstones
from imaginem.storage.account import Account
from imaginem.testing import MemorySharedState


def mark(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()


def test_marks_are_found_by_batch_and_name_until_they_are_lifted(
    tombstones: Tombstones, name: str
) -> None:
    assert tombstones.find(name, {mark("a")}) == {}
    tombstones.lay(name, {mark("a"), mark("b"), mark("c")})
    tombstones.lay(name, {mark("a")})
    tombstones.lay(f"{name}x", {mark("d")})
    found = tombstones.find(name, {mark("a"), mark("b"), mark("d")})
    assert found.keys() == {mark("a"), mark("b")}
    assert found[mark("a")] > found[mark("b")], "laid once more, it has the later time"

    tombstones.lift(name, {mark("a"), mark("a"), mark("never laid")})
    assert tombstones.find(name, {mark("a"), mark("b")}).keys() == {mark("b")}


def test_more_marks_than_a_call_carries_are_laid(tombstones: Tombstones, name: str) -> None:
    marks = {mark(str(number)) for number in range(230)}
    tombstones.lay(name, marks)
    tombstones.lay(name, ())
    assert tombstones.find(name, sorted(marks)[::40]).keys() == set(sorted(marks)[::40])


def test_a_row_is_removed_only_as_it_was_read(log: JobLog, name: str) -> None:
    key = (name, "job")
    before = log.insert(key, {"a": "1"})
    log.merge(key, {"a": "2"}, before)
    log.delete(key, before)
    found = log.read(key)
    assert found is not None
    log.delete(key, found.fence)
    assert log.read(key) is None
    log.delete(key, found.fence)


@pytest.mark.parametrize("whole", [False, True], ids=["job", "batch"])
def test_a_message_from_before_is_told_from_one_that_is_sent_once_erasing_has_returned(
    account: Account, name: str, whole: bool
) -> None:
    queues: Queues = AzureQueues(account)
    erased = NotedErasures(AzureTombstones(account), MemorySharedState(), MemoryErasedRuns())
    queues.send(name, "before")
    erased.begin(name, () if whole else ["job"], whole=whole)
    erased.settle()
    queues.send(name, "after")
    put = {item.body: item.inserted for item in queues.receive(name, 2, 30)}

    assert erased.covers((name, "job"), (), put["before"])
    assert not erased.covers((name, "job"), (), put["after"])
    assert erased.covers((name, "another"), (), put["before"]) == whole


def test_every_process_finds_what_another_has_laid(
    tombstones: Tombstones, shared_state: SharedState
) -> None:
    batch = uuid4().hex
    one, other = (NotedErasures(tombstones, shared_state, MemoryErasedRuns()) for _ in range(2))
    one.begin(batch, ["job"])
    one.add_runs(batch, {"job": {"run"}})
    assert other.is_begun(batch, "job")
    one.end(batch, ["job"])
    assert not other.is_begun(batch, "job")
    assert other.covers((batch, "job"), {"run"}, None)
    assert not other.covers((batch, "job"), {"a later run"}, None)
    assert not other.covers((batch, "another job"), {"run"}, None)
    other.begin(batch, ["second"])
    assert one.is_begun(batch, "second"), "both use one key"


def test_what_is_kept_names_nobody(shared_state: SharedState) -> None:
    class Recorded:
        written: str = ""

        def lay(self, batch: str, marks: object) -> None:
            self.written += f"{batch}{marks}"

    recorded = Recorded()
    erased = NotedErasures(recorded, shared_state, MemoryErasedRuns())  # type: ignore[arg-type]  # only `lay` is called
    erased.begin("flood-2026", ["maria"], whole=True)
    erased.add_runs("flood-2026", {"maria": {"run-7"}})
    for word in ("flood-2026", "maria", "run-7"):
        assert word not in recorded.written
        assert mark(word) not in recorded.written, "without the key, names could be guessed"


def test_all_marks_are_read_over_pages_and_restored_with_the_later_time(
    tombstones: Tombstones, name: str
) -> None:
    marks = {mark(f"{name}{number}") for number in range(1_050)}
    tombstones.lay(name, marks)
    read = {each: laid for batch, each, laid in tombstones.all() if batch == name}
    assert read.keys() == marks

    one, other = sorted(marks)[:2]
    long_ago = read[one] - timedelta(days=9)
    tombstones.restore([(name, one, long_ago), (name, other, read[other] + timedelta(days=9))])
    tombstones.restore([(f"{name}x", each, long_ago) for each in sorted(marks)[:20]])
    found = tombstones.find(name, [one, other])
    assert found == {one: read[one], other: read[other] + timedelta(days=9)}
    assert tombstones.find(f"{name}x", [one]) == {one: long_ago}

    tombstones.lay(f"{name}x", [one])
    assert tombstones.find(f"{name}x", [one])[one] > long_ago, "laid anew, it has a new time"
