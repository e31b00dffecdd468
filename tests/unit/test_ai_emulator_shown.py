"""What `imaginem azure-double` shows on a terminal of 80 columns."""

import io

import pytest
from rich.console import Console

from imaginem.cli import ai_emulator

ADDRESS = "http://127.0.0.1:7080"


def test_each_setting_stands_whole_in_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    monkeypatch.setattr(ai_emulator, "out", Console(file=text, width=80))
    settings = ai_emulator.settings_for(ADDRESS, "[red]key", "F0", "emulated")
    ai_emulator.show_settings(settings, ADDRESS)
    lines = [line.split() for line in text.getvalue().splitlines()[2:]]
    assert lines == [[name, value] for name, value in settings.items()]
    assert ["VISION_TIER", "F0"] in lines
    assert max(map(len, text.getvalue().splitlines())) <= 80
