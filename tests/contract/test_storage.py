"""Queues, blobs and tables: the in-memory twins and Azure Storage behave alike."""

import time
import urllib.error
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from imaginem.errors import (
    ConfigurationError,
    Conflict,
    NotFound,
    PermanentError,
    StorageUnavailable,
)
from imaginem.host import Emulator, EmulatorPorts
from imaginem.message import decode_message
from imaginem.ports import Blobs, JobLog, PoisonEntry, PoisonLog, Queues, SharedState
from imaginem.storage import (
    AzureBlobs,
    AzureJobLog,
    AzurePoisonLog,
    AzureQueues,
    AzureSharedState,
)
from imaginem.storage.account import Account
from imaginem.testing import (
    MemoryBlobs,
    MemoryLog,
    MemoryPoison,
    MemoryQueues,
    MemorySharedState,
    message_for,
)

BACKENDS = ("memory", "azurite")


@pytest.fixture(scope="module")
def account(azurite: Emulator) -> Account:
    return Account(azurite.connection_string)


@pytest.fixture(params=BACKENDS)
def queues(request: pytest.FixtureRequest, account: Account) -> Queues:
    return MemoryQueues() if request.param == "memory" else AzureQueues(account)


@pytest.fixture(params=BACKENDS)
def blobs(request: pytest.FixtureRequest, account: Account) -> Blobs:
    return MemoryBlobs() if request.param == "memory" else AzureBlobs(account)


@pytest.fixture(params=BACKENDS)
def log(request: pytest.FixtureRequest, account: Account) -> JobLog:
    return MemoryLog() if request.param == "memory" else AzureJobLog(account)


@pytest.fixture(params=BACKENDS)
def poison(request: pytest.FixtureRequest, account: Account) -> PoisonLog:
    if request.param == "memory":
        return MemoryPoison()
    return AzurePoisonLog(account, AzureBlobs(account))


@pytest.fixture(params=BACKENDS)
def shared_state(request: pytest.FixtureRequest, account: Account) -> SharedState:
    return MemorySharedState() if request.param == "memory" else AzureSharedState(account)


@pytest.fixture
def name() -> str:
    return f"t{uuid.uuid4().hex[:12]}"


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


class TestQueues:
    def test_a_message_is_received_once_and_deleted(self, queues: Queues, name: str) -> None:
        sent = queues.send(name, 'a "body" <with> & ümlauts')
        (item,) = queues.receive(name, 5, 30)

        assert (item.id, item.body, item.dequeue_count) == (sent, 'a "body" <with> & ümlauts', 1)
        assert queues.receive(name, 5, 30) == []
        queues.delete(name, item)
        assert queues.count(name) == 0

    def test_sending_makes_a_missing_queue(self, queues: Queues, name: str) -> None:
        assert queues.count(name) is None
        queues.send(name, "x")
        assert queues.count(name) == 1
        assert name in queues.names()

    def test_creating_twice_is_no_error(self, queues: Queues, name: str) -> None:
        queues.create(name)
        queues.create(name)
        assert queues.count(name) == 0

    def test_a_message_that_is_not_deleted_comes_back(self, queues: Queues, name: str) -> None:
        queues.send(name, "x")
        (first,) = queues.receive(name, 1, 1)
        time.sleep(1.2)
        (again,) = queues.receive(name, 1, 30)

        assert (again.id, again.dequeue_count) == (first.id, 2)
        with pytest.raises(NotFound):
            queues.delete(name, first)

    def test_a_delayed_message_is_hidden_at_first(self, queues: Queues, name: str) -> None:
        queues.send(name, "x", delay=1)
        assert queues.receive(name, 1, 1) == []
        assert queues.count(name) == 1
        time.sleep(1.2)
        assert len(queues.receive(name, 1, 1)) == 1

    def test_a_hold_is_extended_and_given_back(self, queues: Queues, name: str) -> None:
        queues.send(name, "x")
        (item,) = queues.receive(name, 1, 1)
        held = queues.extend(name, item, 30)
        time.sleep(1.2)
        assert queues.receive(name, 1, 1) == []
        queues.extend(name, held, 0)
        assert len(queues.receive(name, 1, 1)) == 1

    def test_a_message_keeps_its_body_when_its_hold_changes(
        self, queues: Queues, name: str
    ) -> None:
        queues.send(name, "x")
        (item,) = queues.receive(name, 1, 30)
        queues.extend(name, item, 0)
        assert queues.receive(name, 1, 1)[0].body == "x"

    def test_clearing_removes_all(self, queues: Queues, name: str) -> None:
        for _ in range(3):
            queues.send(name, "x")
        queues.clear(name)
        assert queues.count(name) == 0

    def test_a_missing_queue_is_told(self, queues: Queues, name: str) -> None:
        with pytest.raises(NotFound):
            queues.receive(name, 1, 1)
        with pytest.raises(NotFound):
            queues.clear(name)


class TestBlobs:
    def test_a_blob_is_written_over_and_read(self, blobs: Blobs, name: str) -> None:
        blobs.put(name, "a/b.txt", b"one", "text/plain")
        url = blobs.put(name, "a/b.txt", b"two", "text/plain")

        assert blobs.get(name, "a/b.txt", 10) == b"two"
        assert blobs.locate(url) == (name, "a/b.txt")
        assert "?" not in url

    @pytest.mark.parametrize("path", ["a b/ü.txt", "%2E%2E/x%2Fy.png", "a+b/c&d='e'.png"])
    def test_any_name_survives_its_address(self, blobs: Blobs, name: str, path: str) -> None:
        url = blobs.put(name, path, b"x", "text/plain")

        assert blobs.locate(url) == (name, path)
        assert blobs.get(name, path, 10) == b"x"

    def test_a_missing_blob_or_container_is_told(self, blobs: Blobs, name: str) -> None:
        with pytest.raises(NotFound):
            blobs.get(name, "x", 10)
        blobs.put(name, "y", b"", "text/plain")
        with pytest.raises(NotFound):
            blobs.get(name, "x", 10)

    def test_a_blob_over_the_limit_is_refused(self, blobs: Blobs, name: str) -> None:
        blobs.put(name, "x", b"12345", "text/plain")
        with pytest.raises(PermanentError, match="limit is 4"):
            blobs.get(name, "x", 4)
        assert blobs.get(name, "x", 5) == b"12345"

    def test_blobs_are_listed_and_removed(self, blobs: Blobs, name: str) -> None:
        for path in ("b/2", "a/1", "b/1"):
            blobs.put(name, path, b"", "text/plain")
        assert blobs.list(name, "b/") == ["b/1", "b/2"]
        blobs.delete(name, "b/1")
        blobs.delete(name, "b/1")
        assert blobs.list(name, "b/") == ["b/2"]
        assert blobs.list(f"{name}x", "") == []

    @pytest.mark.parametrize(
        "url",
        [
            "https://elsewhere.test/inputimages/a",
            "http://127.0.0.1:1/devstoreaccount1/c/a",
            "YOUR_IMAGE_URL",
            "",
            "http://[broken/x",
            "ftp://127.0.0.1/x/y",
        ],
    )
    def test_an_address_elsewhere_is_not_ours(self, blobs: Blobs, url: str) -> None:
        assert blobs.locate(url) is None

    @pytest.mark.parametrize(
        "path", ["a/../../secrets/x", "a/%2e%2e/%2E%2E/secrets/x", "a/./x", ".."]
    )
    def test_an_address_that_leads_out_of_its_folder_is_nobodys(
        self, blobs: Blobs, name: str, path: str
    ) -> None:
        root = blobs.put(name, "here", b"", "text/plain").removesuffix("here")
        assert blobs.locate(root + path) is None


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
        entry = PoisonEntry(name, "id-1", "because", body, 5, "batch", "job")
        poison.add(entry)
        poison.add(entry)
        (kept,) = poison.list(name)

        assert kept.at is not None
        assert (kept.queue, kept.id, kept.reason, kept.body) == (name, "id-1", "because", body)
        assert (kept.attempts, kept.batch_id, kept.job_id) == (5, "batch", "job")
        assert poison.read(name, "id-1") == kept
        assert kept in poison.list()
        poison.drop(name, "id-1")
        poison.drop(name, "id-1")
        assert poison.list(name) == []
        assert poison.read(name, "id-1") is None


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
        def delete(self, container: str, name: str) -> None:
            raise StorageUnavailable("blob storage did not answer")

    poison = AzurePoisonLog(account, AzureBlobs(account))
    poison.add(PoisonEntry(name, "large", "because", "x" * 60_000))
    with pytest.raises(StorageUnavailable):
        AzurePoisonLog(account, Away(account)).drop(name, "large")
    assert [entry.id for entry in poison.list(name)] == ["large"]  # so it is dropped again


def test_characters_that_xml_forbids_pass_the_queue(account: Account, name: str) -> None:
    queues = AzureQueues(account)
    strange = {"note": "a\uffff\ufffe\u0000b"}
    message = message_for("https://x.test/a", ["ocr"], outputs=strange)
    queues.send(name, message.encode())
    (item,) = queues.receive(name, 1, 1)

    assert decode_message(item.body, ()).job_output == strange


def test_a_connection_string_that_is_none_is_told() -> None:
    with pytest.raises(ConfigurationError, match="AzureWebJobsStorage is no connection string"):
        AzureQueues(Account("nonsense"))
    assert "nonsense" not in repr(Account("nonsense"))


def test_storage_that_does_not_answer_is_told() -> None:
    gone: Any = Account(EmulatorPorts(1, 2, 3).connection_string)
    with pytest.raises(StorageUnavailable, match="did not answer"):
        AzureQueues(gone).names()
    with pytest.raises(StorageUnavailable):
        AzureJobLog(gone).read(("a", "b"))


def test_a_wrong_key_is_told_without_showing_it(azurite: Emulator) -> None:
    wrong = azurite.connection_string.replace("Eby8", "AAAA")
    with pytest.raises(StorageUnavailable) as told:
        AzureQueues(Account(wrong)).names()
    assert "AAAA" not in str(told.value)


def test_the_emulator_is_called_by_both_names(azurite: Emulator) -> None:
    blobs = AzureBlobs(Account(azurite.connection_string))
    url = f"http://localhost:{azurite.ports.blob}/devstoreaccount1/inputimages/a/b.jpg"
    assert blobs.locate(url) == ("inputimages", "a/b.jpg")


def test_a_link_opens_one_blob_and_no_other(account: Account, name: str) -> None:
    blobs = AzureBlobs(account)
    blobs.put(name, "b/photo of ü", b"photo", "image/png")
    blobs.put(name, "b/other", b"other", "image/png")
    link = blobs.link(name, "b/photo of ü", 5)

    assert urllib.request.urlopen(link).read() == b"photo"
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(link.replace("photo%20of%20%C3%BC", "other"))
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(link.partition("?")[0])
    assert blobs.locate(link) == (name, "b/photo of ü")
