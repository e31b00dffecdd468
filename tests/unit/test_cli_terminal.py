"""What names that senders chose do to a terminal: nothing."""

import io

import pytest
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from imaginem.cli.progress import render
from imaginem.cli.report import ResultTable
from imaginem.cli.terminal import Terminal, visible
from imaginem.usecases.progress import BatchProgress

HOSTILE = "a\u202egpj.exe\x1b[2J\x9b\u2066"
SHOWN = r"a\u202egpj.exe\x1b[2J\x9b\u2066"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("COLUMNS", "100")
    console = Terminal()
    console.file = io.StringIO()
    return console


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_name_is_shown_with_what_would_move_the_cursor_written_out(terminal: Terminal) -> None:
    terminal.print(escape(HOSTILE))
    terminal.print(HOSTILE, markup=False)
    table = Table("name")
    table.add_row(escape(HOSTILE))
    terminal.print(table)
    assert printed(terminal).count(SHOWN) == 3
    assert not set(printed(terminal)) & set("\u202e\x1b\x9b\u2066")


def test_tables_of_results_and_reasons_show_it_so_too(terminal: Terminal) -> None:
    terminal.print(ResultTable(HOSTILE, [{"photo": escape(HOSTILE), "tags": "-"}], []))
    progress = BatchProgress("b", {HOSTILE: "failed"}, [], [(HOSTILE, "ocr", HOSTILE)])
    terminal.print(render(progress, 1))
    told = printed(terminal)
    assert told.count(SHOWN) == 4
    assert not set(told) & set("\u202e\x1b\x9b\u2066")


def test_lines_tabs_and_letters_of_all_scripts_stay(terminal: Terminal) -> None:
    assert visible("one\r\ntwo\tفينسنت‏ 👩‍👧") == "one\ntwo\tفينسنت‏ 👩‍👧"


def test_a_name_with_colons_is_no_emoji(terminal: Terminal) -> None:
    terminal.print(":camera:.jpg")
    assert printed(terminal) == ":camera:.jpg\n"
