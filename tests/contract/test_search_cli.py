"""`imaginem search`."""

import json
from pathlib import Path

import pytest

from imaginem.host import Emulator
from imaginem.ports import JobResult
from imaginem.runtime import Runtime
from imaginem.sql import SqlResults
from tests.terminal import terminal


def test_photos_are_told_with_how_sure_they_are(
    runtime: Runtime, own_azurite: Emulator, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for job, words in (("arabic", "محمد"), ("latin", "Mohamed")):
        outputs = {"ocr": {"full_text": words}}
        runtime.results.save(JobResult(name, job, ("ocr",), "https://x.test/a", None, outputs))
    cli = terminal(monkeypatch, own_azurite, runtime.settings.home, "search")

    found = json.loads(cli("Mohamed", "--batch", name, "--json").stdout)
    assert [(each["job_id"], each["sureness"]) for each in found] == [
        ("latin", "exact"),
        ("arabic", "other_script"),
    ]
    shown = cli("Mohamed", "--batch", name, "--limit", "1")
    assert "exact" in shown.stdout
    assert "--limit 2 shows them" in shown.stdout
    assert "in another script" in cli("Mohamed", "--batch", name).stdout
    nothing = cli("nobody", "--batch", name)
    assert "no photo has these words" in nothing.stderr
    unknown = cli("Mohamed", "--batch", f"{name}x")
    assert (unknown.exit_code, unknown.stderr.strip()) == (1, f"error: there is no batch {name}x")
    assert (nothing.exit_code, json.loads(cli("nobody", "--json").stdout)) == (1, [])


@pytest.mark.parametrize("words", ["", "  ", '"', "\u200b", "😀"])
def test_a_search_without_any_word_is_refused_instead_of_showing_every_photo(
    runtime: Runtime,
    own_azurite: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    words: str,
) -> None:
    outputs = {"ocr": {"full_text": "Maria"}}
    runtime.results.save(JobResult(name, "one", ("ocr",), "https://x.test/a", None, outputs))
    cli = terminal(monkeypatch, own_azurite, runtime.settings.home, "search")

    told = cli(words, "--batch", name)

    assert told.exit_code == 2
    assert "no word to search for" in told.stderr
    assert "one" not in told.stdout


def test_a_search_right_after_photos_were_sent_tells_that_they_are_at_work(
    runtime: Runtime, own_azurite: Emulator, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for number in range(6):
        runtime.submissions.submitted((name, f"job{number}"), f"run{number}")
    runtime.batches.open_batch(name)
    runtime.open_batches.note(name)
    cli = terminal(monkeypatch, own_azurite, runtime.settings.home, "search")

    told = cli("Vincent", "--batch", name)
    assert told.exit_code == 1
    assert f"note: Still being looked at: 6 of 6 photos in batch {name}." in told.stderr
    assert "error: no photo has these words so far" in told.stderr
    as_json = cli("Vincent", "--batch", name, "--json")
    assert json.loads(as_json.stdout) == []
    assert "6 of 6 photos" in as_json.stderr


def test_text_that_can_not_be_read_is_told_and_its_photos_are_found(
    runtime: Runtime, own_azurite: Emulator, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    hebrew = "text in Hebrew, not readable here"
    outputs = {"ocr": {"full_text": "", "lines": [{"text": "", "unreadable": hebrew}]}}
    runtime.results.save(JobResult(name, "sign", ("ocr",), "https://x.test/a", None, outputs))
    cli = terminal(monkeypatch, own_azurite, runtime.settings.home, "search")

    told = cli("Vincent", "--batch", name)
    assert told.exit_code == 1
    assert f"note: Not searched: {hebrew} (at least 1 photo)." in " ".join(told.stderr.split())
    found = cli("--unreadable", hebrew, "--batch", name, "--json")
    assert [each["job_id"] for each in json.loads(found.stdout)] == ["sign"]
    assert "Not searched" not in found.stderr
    assert "no photo fits" in cli("--unreadable", "Hebrew", "--batch", name).stderr


def test_photos_of_before_are_found_by_what_steps_declare_once_they_are_reindexed(
    runtime: Runtime, own_azurite: Emulator, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    sample = {"format": "JPEG", "width": 640, "height": 480}
    outputs = {"sample": sample}
    SqlResults(runtime.database, runtime.erased_runs).save(  # a version that knew no fields
        JobResult(name, "one", ("sample",), "https://x.test/a", None, outputs)
    )
    app = ("--app", str(Path(__file__).parents[2]))
    cli = terminal(monkeypatch, own_azurite, runtime.settings.home)
    wanted = ("search", "--where", "sample.width!=1", "--batch", name, "--json", *app)
    assert json.loads(cli(*wanted).stdout) == []

    reindex = ("db", "reindex", "--batch", name, "--json", *app)
    assert json.loads(cli(*reindex).stdout) == {"photos": 1, "changed": 1}
    assert json.loads(cli(*reindex).stdout) == {"photos": 1, "changed": 0}
    assert [each["job_id"] for each in json.loads(cli(*wanted).stdout)] == ["one"]
    unknown = cli("db", "reindex", "--batch", f"{name}x", *app)
    assert (unknown.exit_code, "there are no results" in unknown.stderr) == (1, True)
    elsewhere = cli("db", "reindex", "--app", str(runtime.settings.home))
    assert "there is no folder steps/" in elsewhere.stderr
