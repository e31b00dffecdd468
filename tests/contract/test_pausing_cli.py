"""`imaginem pause`, `resume` and `budget`, and what other commands say of a batch that waits."""

import json
from pathlib import Path

import pytest

from imaginem.host import Emulator
from imaginem.runtime import Runtime
from imaginem.testing import photo_bytes
from tests.terminal import terminal


def test_a_batch_that_waits_says_so_everywhere_and_goes_on(
    runtime: Runtime,
    own_azurite: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(photo_bytes())
    cli = terminal(monkeypatch, own_azurite, runtime.settings.home)
    assert cli("pause", name).exit_code == 1
    assert f"there is no batch {name}" in cli("budget", name, "4").output
    sent = cli("submit", str(photo), "--batch", name, "--budget", "0.5")
    assert sent.exit_code == 0, sent.output
    assert cli("pause", name, "--because", "the quota is used up").exit_code == 0

    waits = "paused by local user since"
    told = cli("status", name)
    assert waits in told.output
    assert "because the quota is used up" in told.output
    paused = json.loads(cli("status", name, "--json").stdout)["paused"]
    assert (paused["by"], paused["because"]) == ("local user", "the quota is used up")
    waited = cli("submit", str(photo), "--batch", name, "--wait", "--timeout", "60")
    assert waited.exit_code == 1
    assert waits in waited.output

    assert "may spend $0.50, and has spent $0.00" in cli("budget", name).output
    assert json.loads(cli("budget", name, "7", "--json").stdout) == {"usd": 7.0, "spent": 0.0}
    assert "has no budget" in cli("budget", name, "none").output
    assert cli("budget", name, "much").exit_code == 2
    assert cli("budget", name, "-1").exit_code != 0

    assert "goes on" in cli("resume", name).output
    assert "was not paused" in cli("resume", name).output
    assert json.loads(cli("status", name, "--json").stdout)["paused"] is None
