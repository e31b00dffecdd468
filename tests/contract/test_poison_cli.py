"""`imaginem poison` on a terminal of 80 columns, against real tables and queues."""

import json
from pathlib import Path

import pytest

from imaginem.host import Emulator
from imaginem.ports import PoisonEntry
from imaginem.storage import AzureBlobs, AzurePoisonLog, AzureQueues
from imaginem.storage.account import Account
from imaginem.testing import message_for
from tests.terminal import Cli, terminal

IDS = [f"5a1c0e9e-7b0f-4a52-b0d7-2f6a2f0c9a{number}" for number in range(10, 15)]


@pytest.fixture
def cli(azurite: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    return terminal(monkeypatch, azurite, tmp_path, "poison")


@pytest.fixture
def queue(account: Account, name: str) -> str:
    """A queue of five messages that could not be processed, of two batches."""
    queue = f"generalclassification-{name}"
    poison = AzurePoisonLog(account, AzureBlobs(account))
    for number, message_id in enumerate(IDS):
        batch = f"{name}-{number % 2}"
        message = message_for(
            "https://x.test/a?sig=hunter2", [queue], batch_id=batch, job_id=message_id
        )
        reason = f"Timeout: the service did not answer within 30 seconds, in vain ({number})"
        poison.add(
            PoisonEntry(
                queue, message_id, reason, message.encode(), 5, *message.key, kind="exhausted"
            )
        )
    return queue


def test_ids_can_be_copied_whole(cli: Cli, queue: str) -> None:
    lines = cli("list", queue).output.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [f"{queue}.{i}" for i in IDS]
    assert f"  {'Timeout: the service did not answer within 30 seconds, in vain (0)'}" in lines
    assert "1 are shown" in cli("list", queue, "--limit", "1").output


def test_a_list_for_programs_has_no_bodies(cli: Cli, queue: str) -> None:
    (first, *_) = json.loads(cli("list", queue, "--reason", "VAIN (1)", "--json").output)
    assert (first["queue"], first["id"], first["kind"]) == (queue, IDS[1], "exhausted")
    assert (first["place"], "body" in first) == (f"{queue}.{IDS[1]}", False)


def test_a_message_is_shown_whole_without_secrets(cli: Cli, queue: str) -> None:
    shown = cli("show", f"{queue}.{IDS[0]}").output
    assert '"image_url": "https://x.test/a"' in shown
    assert "hunter2" not in shown
    assert f"replay: a new run of the job begins at {queue} (step 1 of 1)" in shown
    assert json.loads(cli("show", f"{queue}.{IDS[0]}", "--json").output)["replay"]


def test_many_are_replayed_when_it_was_confirmed(
    cli: Cli, account: Account, queue: str, name: str
) -> None:
    batch = f"{name}-0"
    counted = cli("replay", "--batch", batch, "--dry-run").output
    assert counted.splitlines() == [f"{queue}: 3 exhausted", "3 messages would be replayed"]
    refused = cli("replay", "--batch", batch, answer="n\n")
    assert (refused.exit_code, "Replay 3 messages?" in refused.output) == (1, True)
    assert AzureQueues(account).count(queue) is None

    done = cli("replay", "--batch", batch, "--rate", "1000", answer="y\n")
    assert (done.exit_code, "3 messages replayed" in done.output) == (0, True), done.output
    assert AzureQueues(account).count(queue) == 3
    left = json.loads(cli("list", queue, "--json").output)
    assert [entry["id"] for entry in left] == [IDS[1], IDS[3]]


def test_one_is_named_by_its_id_or_by_queue_and_message(cli: Cli, queue: str) -> None:
    assert "1 message replayed" in cli("replay", f"{queue}.{IDS[0]}").output
    assert "1 message dropped" in cli("drop", queue, IDS[1]).output
    both = cli("drop", "--yes", f"{queue}.{IDS[2]}", f"{queue}.none")
    assert both.exit_code == 1
    assert "1 message dropped" in both.output
    assert f"1 left: no message none of {queue} is in pipelinepoison" in both.output
    assert "2 messages dropped" in cli("drop", queue, "--yes").output


@pytest.mark.parametrize(
    "words",
    [
        ("replay",),
        ("drop", "--kind", "odd"),
        ("replay", "a.b", "--all"),
        ("replay", "a.b", "c"),
        ("show", "b"),
    ],
)
def test_what_is_not_clear_is_not_done(cli: Cli, words: tuple[str, ...]) -> None:
    assert cli(*words).exit_code == 2


def test_nothing_is_asked_about_messages_that_are_not_there(cli: Cli, queue: str) -> None:
    gone = cli("drop", f"{queue}.one", f"{queue}.two", answer="y\n")
    assert (gone.exit_code, "Drop" in gone.output) == (1, False)
    assert "there is no such message" in gone.output
    none = cli("replay", "--queue", queue, "--reason", "nosuch")
    assert (none.exit_code, none.output) == (0, "nothing fits\n")
