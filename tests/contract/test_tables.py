"""Progress rows, poison entries and shared state: in memory and on Azure Storage alike."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from imaginem.errors import (
    Conflict,
    InvalidMessage,
    StorageUnavailable,
)
from imaginem.host import Emulator
from imaginem.ports import JobLog, PoisonEntry, PoisonFilter, PoisonLog, SharedState, StateChange
from imaginem.storage import (
    AzureBlobs,
    AzureJobLog,
    AzurePoisonLog,
)
from imaginem.storage.account import CLIENT_OPTIONS, Account


class TestRegisters:
    def test_a_register_is_made_once_and_changed_by_whoever_saw_it_last(
        self, shared_state: SharedState, name: str
    ) -> None:
        assert shared_state.read(name) is None
        first = shared_state.write(name, "one", "")
        with pytest.raises(Conflict):
            shared_state.write(name, "another", "")
        second = shared_state.write(name, "two", first)
        with pytest.raises(Conflict):
            shared_state.write(name, "late", first)

        assert shared_state.read(name) == ("two", second)

    def test_entries_are_listed_by_what_their_names_begin_with(
        self, shared_state: SharedState, name: str
    ) -> None:
        assert shared_state.list(f"{name}-") == {}
        kept = {f"{name}-{end}": shared_state.write(f"{name}-{end}", end, "") for end in "ab"}
        shared_state.write(f"{name}.", "another", "")
        shared_state.write(name, "shorter", "")

        assert shared_state.list(f"{name}-") == {
            entry: (entry[-1], fence) for entry, fence in kept.items()
        }

    def test_an_entry_that_was_removed_is_made_anew(
        self, shared_state: SharedState, name: str
    ) -> None:
        before = shared_state.write(name, "one", "")
        shared_state.remove(name)
        shared_state.remove(name)
        assert shared_state.read(name) is None
        with pytest.raises(Conflict):
            shared_state.write(name, "late", before)
        shared_state.write(name, "two", "")

    def test_an_entry_is_removed_only_while_it_is_as_it_was(
        self, shared_state: SharedState, name: str
    ) -> None:
        old = shared_state.write(name, "one", "")
        new = shared_state.write(name, "two", old)
        shared_state.remove(name, old)
        assert shared_state.read(name) == ("two", new)
        shared_state.remove(name, new)
        assert shared_state.read(name) is None
        shared_state.remove(name, new)

    def test_several_changes_are_made_together(self, shared_state: SharedState, name: str) -> None:
        first = shared_state.write(f"{name}-1", "one", "")
        second = shared_state.write(f"{name}-2", "two", "")
        changed = shared_state.change(
            [
                StateChange(f"{name}-1", "uno", first),
                StateChange(f"{name}-2", None, second),
                StateChange(f"{name}-3", "tre"),
            ]
        )
        assert shared_state.list(f"{name}-") == {
            f"{name}-1": ("uno", changed[0]),
            f"{name}-3": ("tre", changed[2]),
        }

    @pytest.mark.parametrize("wrong", ["changed", "removed", "there already"])
    def test_of_several_changes_none_is_made_if_one_entry_has_changed(
        self, shared_state: SharedState, name: str, wrong: str
    ) -> None:
        good = shared_state.write(f"{name}-good", "one", "")
        other = f"{name}-other"
        fence = shared_state.write(other, "one", "")
        if wrong == "changed":
            shared_state.write(other, "two", fence)
        elif wrong == "removed":
            shared_state.remove(other)
        else:
            fence = ""
        before = shared_state.list(f"{name}-")
        changes = [StateChange(f"{name}-good", "two", good), StateChange(other, "three", fence)]
        for order in (changes, changes[::-1]):
            with pytest.raises(Conflict):
                shared_state.change(order)
        assert shared_state.list(f"{name}-") == before

    def test_of_many_who_count_at_once_none_is_lost(
        self, shared_state: SharedState, name: str
    ) -> None:
        shared_state.write(name, "0", "")

        def count() -> None:
            while True:
                found = shared_state.read(name)
                assert found is not None
                try:
                    shared_state.write(name, str(int(found[0]) + 1), found[1])
                    return
                except Conflict:
                    continue

        with ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(count) for _ in range(40)]:
                done.result()
        found = shared_state.read(name)
        assert found is not None
        assert found[0] == "40"


class TestLog:
    def test_an_entity_is_inserted_once(self, log: JobLog, name: str) -> None:
        log.insert((name, "job"), {"a": "1"})
        with pytest.raises(Conflict):
            log.insert((name, "job"), {"a": "2"})
        entry = log.read((name, "job"))
        assert entry is not None
        assert dict(entry.properties) == {"a": "1"}

    def test_merging_keeps_and_replacing_drops_other_properties(
        self, log: JobLog, name: str
    ) -> None:
        fence = log.insert((name, "job"), {"a": "1", "b": "1"})
        fence = log.merge((name, "job"), {"b": "2"}, fence)
        entry = log.read((name, "job"))
        assert entry is not None
        assert (dict(entry.properties), entry.fence) == ({"a": "1", "b": "2"}, fence)
        log.replace((name, "job"), {"c": "3"}, fence)
        entry = log.read((name, "job"))
        assert entry is not None
        assert dict(entry.properties) == {"c": "3"}

    def test_an_old_fence_is_lost(self, log: JobLog, name: str) -> None:
        old = log.insert((name, "job"), {})
        log.merge((name, "job"), {"a": "1"}, old)
        for change in (log.merge, log.replace):
            with pytest.raises(Conflict):
                change((name, "job"), {"a": "2"}, old)
            with pytest.raises(Conflict):
                change((name, "job"), {"a": "2"}, "made-up")
            with pytest.raises(Conflict):
                change((name, "job"), {"a": "2"}, "*")
            with pytest.raises(Conflict):
                change((name, "job"), {"a": "2"}, '"made-up"')

    def test_a_missing_entity_has_no_fence(self, log: JobLog, name: str) -> None:
        assert log.read((name, "job")) is None
        with pytest.raises(Conflict):
            log.merge((name, "job"), {"a": "1"}, "W/\"datetime'2026'\"")

    @pytest.mark.parametrize(
        "job", ["a/b\\c#d?e%f", "it's", "ü 漢字 😀", "..", "a\tb\nc", "x" * 512]
    )
    def test_any_id_is_kept(self, log: JobLog, name: str, job: str) -> None:
        fence = log.insert((name, job), {"a": "1"})
        log.merge((name, job), {"a": "2"}, fence)
        entry = log.read((name, job))
        assert entry is not None
        assert (entry.batch_id, entry.job_id, entry.properties["a"]) == (name, job, "2")

    def test_an_entity_is_removed_and_may_be_removed_again(self, log: JobLog, name: str) -> None:
        log.insert((name, "job"), {"job_state": "failed"})
        for _ in range(2):
            log.delete((name, "job"))
        assert log.read((name, "job")) is None
        log.insert((name, "job"), {})

    def test_a_batch_is_read_in_order(self, log: JobLog, name: str) -> None:
        for job in ("c", "a", "b"):
            log.insert((name, job), {"n": job})
        log.insert((f"{name}x", "z"), {})
        assert [entry.job_id for entry in log.batch(name)] == ["a", "b", "c"]
        assert list(log.batch(f"{name}-none")) == []

    def test_a_batch_is_read_without_what_is_not_wanted(self, log: JobLog, name: str) -> None:
        log.insert((name, "job"), {"a": "1", "b": "2"})
        (entry,) = log.batch(name, only=["b", "never-set"])
        assert (entry.job_id, dict(entry.properties)) == ("job", {"b": "2"})

    def test_a_full_property_is_kept(self, log: JobLog, name: str) -> None:
        text = "ü" * 30_000
        log.insert((name, "job"), {"a": text})
        entry = log.read((name, "job"))
        assert entry is not None
        assert entry.properties["a"] == text


class TestPoison:
    @pytest.mark.parametrize("body", ["hello", "x" * 60_000, "", "\u0000\ufffd ü"])
    def test_any_body_is_kept_and_dropped(self, poison: PoisonLog, name: str, body: str) -> None:
        entry = PoisonEntry(name, "id-1", "because", body, 5, "batch", "job", kind="exhausted")
        poison.add(entry)
        poison.add(entry)
        (kept,) = poison.list(name)

        assert kept.at is not None
        assert (kept.queue, kept.id, kept.reason, kept.body) == (name, "id-1", "because", body)
        assert (kept.attempts, kept.batch_id, kept.job_id) == (5, "batch", "job")
        assert kept.kind == "exhausted"
        assert poison.read(name, "id-1") == kept
        assert kept in poison.list()
        poison.drop(name, "id-1")
        poison.drop(name, "id-1")
        assert poison.list(name) == []
        assert poison.read(name, "id-1") is None

    def test_entries_are_read_page_by_page_without_bodies(
        self, poison: PoisonLog, name: str
    ) -> None:
        for queue, number in ((name, 2), (f"{name}b", 1), (name, 1), (name, 3)):
            poison.add(PoisonEntry(queue, f"id-{number}", "because", "body", 2, name, "job"))
        poison.add(PoisonEntry(name, "id-2b", "because", "body", 2, "other", "job"))
        wanted, cursor = PoisonFilter(batch_id=name), ""
        pages: list[list[tuple[str, str]]] = []
        while not pages or cursor:
            page = poison.page(wanted, cursor, 2)
            pages.append([(entry.queue, entry.id) for entry in page.entries])
            assert {entry.body for entry in page.entries} == {""}
            assert {(entry.reason, entry.attempts) for entry in page.entries} == {("because", 2)}
            cursor = page.cursor
        assert pages == [
            [(name, "id-1"), (name, "id-2")],
            [(name, "id-3"), (f"{name}b", "id-1")],
        ]
        assert poison.count(wanted, 100) == 4
        assert poison.count(wanted, 3) == 3

    def test_a_page_goes_on_where_the_last_one_ended_whatever_was_dropped_since(
        self, poison: PoisonLog, name: str
    ) -> None:
        for number in range(4):
            poison.add(PoisonEntry(name, f"id-{number}", "because", ""))
        page = poison.page(PoisonFilter(queue=name), "", 2)
        for entry in page.entries:
            poison.drop(entry.queue, entry.id)
        rest = poison.page(PoisonFilter(queue=name), page.cursor, 2)
        assert [entry.id for entry in rest.entries] == ["id-2", "id-3"]
        assert rest.cursor == ""

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            (PoisonFilter(), ["a", "b", "c"]),
            (PoisonFilter(kind="exhausted"), ["a"]),
            (PoisonFilter(reason="timeOUT"), ["a", "c"]),
            (PoisonFilter(job_id="it's", reason="time"), ["c"]),
            (PoisonFilter(until=datetime(2020, 1, 1, tzinfo=UTC)), []),
            (PoisonFilter(until=datetime(2200, 1, 1, tzinfo=UTC), job_id="j"), ["a", "b"]),
        ],
    )
    def test_entries_are_found_by_what_they_say(
        self, poison: PoisonLog, name: str, wanted: PoisonFilter, found: list[str]
    ) -> None:
        poison.add(PoisonEntry(name, "a", "Timeout: x", "1", 1, "b", "j", kind="exhausted"))
        poison.add(PoisonEntry(name, "b", "not JSON", "2", 1, "b", "j"))
        poison.add(PoisonEntry(name, "c", "a TIMEOUT", "3", 1, "b", "it's", kind="defect"))
        wanted = replace(wanted, queue=name)
        assert [entry.id for entry in poison.page(wanted).entries] == found
        assert poison.count(wanted, 10) == len(found)

    @pytest.mark.parametrize("cursor", ["x", "WyJhIl0", "WzEsMl0", "e30", "é"])
    def test_a_cursor_that_is_made_up_is_refused(self, poison: PoisonLog, cursor: str) -> None:
        with pytest.raises(InvalidMessage, match="cursor is not valid"):
            poison.page(PoisonFilter(), cursor)


def test_a_body_that_was_removed_hides_no_other_entry(account: Account, name: str) -> None:
    blobs = AzureBlobs(account)
    poison = AzurePoisonLog(account, blobs)
    poison.add(PoisonEntry(name, "large", "because", "x" * 60_000))
    poison.add(PoisonEntry(name, "small", "because", "y"))
    for blob in blobs.list("largemessages", f"!poison/{name}/"):
        blobs.delete("largemessages", blob)

    assert [(entry.id, entry.body) for entry in poison.list(name)] == [
        ("large", ""),
        ("small", "y"),
    ]


def test_a_poisoned_body_is_removed_before_its_entry(account: Account, name: str) -> None:
    class Away(AzureBlobs):
        def delete(self, container: str, name: str, *, etag: str = "") -> None:
            raise StorageUnavailable("blob storage did not answer")

    poison = AzurePoisonLog(account, AzureBlobs(account))
    poison.add(PoisonEntry(name, "large", "because", "x" * 60_000))
    with pytest.raises(StorageUnavailable):
        AzurePoisonLog(account, Away(account)).drop(name, "large")
    assert [entry.id for entry in poison.list(name)] == ["large"]  # so it is dropped again


def test_an_inserted_row_is_not_sent_back(
    azurite: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[bytes] = []

    def keep(answered: Any) -> None:
        answers.append(answered.http_response.content)

    monkeypatch.setitem(CLIENT_OPTIONS, "raw_response_hook", keep)
    log = AzureJobLog(Account(azurite.connection_string))
    fence = log.insert(("not-sent-back", "1"), {"RunId": "r"})
    assert answers[-1] == b""
    assert log.merge(("not-sent-back", "1"), {"RunId": "s"}, fence) != fence
