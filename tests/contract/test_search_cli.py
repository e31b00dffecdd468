"""`imaginem search`."""

import json

import pytest

from imaginem.host import Emulator
from imaginem.ports import JobResult
from imaginem.runtime import Runtime
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
