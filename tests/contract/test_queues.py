"""Queues: in memory and on Azure Storage alike."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from imaginem.errors import (
    NotFound,
)
from imaginem.message import decode_message
from imaginem.ports import Queues
from imaginem.ports.sends import noting_sends
from imaginem.storage import (
    AzureQueues,
)
from imaginem.storage.account import Account
from imaginem.testing import (
    message_for,
)


class TestQueues:
    def test_a_message_is_received_once_and_deleted(self, queues: Queues, name: str) -> None:
        sent = queues.send(name, 'a "body" <with> & ümlauts')
        (item,) = queues.receive(name, 5, 30)

        assert (item.id, item.body, item.dequeue_count) == (sent, 'a "body" <with> & ümlauts', 1)
        assert queues.receive(name, 5, 30) == []
        queues.delete(name, item)
        assert queues.count(name) == 0

    def test_a_function_tells_to_which_queues_it_sent_what_can_be_had_at_once(
        self, queues: Queues, name: str
    ) -> None:
        with noting_sends() as sent:
            queues.send(name, "x")
            queues.send(f"{name}-later", "x", delay=1)
        queues.send(f"{name}-afterwards", "x")
        assert sent == {name}

    def test_a_message_may_be_hidden_for_a_week(self, queues: Queues, name: str) -> None:
        queues.send(name, "x", delay=7 * 24 * 3600)
        assert queues.receive(name, 5, 30) == []
        assert queues.count(name) == 1

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

    def test_the_oldest_message_is_the_oldest_that_can_be_taken(
        self, queues: Queues, name: str
    ) -> None:
        assert queues.oldest(name) is None
        queues.create(name)
        assert queues.oldest(name) is None
        queues.send(name, "first")
        oldest = queues.oldest(name)
        assert oldest is not None
        assert abs(oldest - datetime.now(UTC)) < timedelta(minutes=5)
        time.sleep(1.2)  # storage tells whole seconds
        queues.send(name, "second")
        assert queues.oldest(name) == oldest
        (item,) = queues.receive(name, 1, 30)
        assert item.body == "first"
        younger = queues.oldest(name)
        assert younger is not None and younger > oldest
        assert queues.receive(name, 1, 30)[0].dequeue_count == 1  # looking takes nothing
        assert queues.oldest(name) is None
        queues.send(name, "late", delay=60)
        assert queues.oldest(name) is None

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


def test_characters_that_xml_forbids_pass_the_queue(account: Account, name: str) -> None:
    queues = AzureQueues(account)
    strange = {"note": "a\uffff\ufffe\u0000b"}
    message = message_for("https://x.test/a", ["ocr"], outputs=strange)
    queues.send(name, message.encode())
    (item,) = queues.receive(name, 1, 1)

    assert decode_message(item.body, ()).job_output == strange
