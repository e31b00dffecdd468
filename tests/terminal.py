"""The command line on a terminal of 80 columns, in this process."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from imaginem.cli.__main__ import app
from imaginem.host import Emulator

Cli = Callable[..., Result]


def terminal(monkeypatch: pytest.MonkeyPatch, emulator: Emulator, home: Path, *command: str) -> Cli:
    """Return what runs a command on an emulator and a home.

    Args:
        monkeypatch: of the test; the environment lasts as long.
        emulator: the storage.
        home: of the database.
        command: words that come first each time.
    """
    monkeypatch.setenv("AzureWebJobsStorage", emulator.connection_string)
    monkeypatch.setenv("IMAGINEM_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "80")

    def run(*words: str, answer: str = "") -> Result:
        return CliRunner().invoke(app, [*command, *words], input=answer)

    return run
