"""`imaginem search`: photos by the words in them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from imaginem.cli.shared import App, Exit, Json, exit_on_error, fail, make_runtime, out, print_json
from imaginem.ports import FoundPhoto, PhotoFilter
from imaginem.ports.text_search import Sureness
from imaginem.usecases.searching import find_photos

_TOLD = {
    Sureness.EXACT: "exact",
    Sureness.BEGINNING: "begins like this",
    Sureness.SIMILAR: "similar",
    Sureness.OTHER_SCRIPT: "in another script",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("search")(search)


def search(
    words: Annotated[list[str], typer.Argument(help="All of them are in the photo.")],
    batch: Annotated[str, typer.Option("--batch", help="In this batch alone.")] = "",
    tag: Annotated[str, typer.Option("--tag", help="With this tag.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Photos at most.")] = 50,
    as_json: Json = False,
    app: App = Path(),
) -> None:
    """Find photos by the words in them, in any script; the surest first, then the newest."""
    with exit_on_error():
        runtime = make_runtime(app)
        wanted = PhotoFilter(text=" ".join(words), batch=batch, tag=tag)
        page = find_photos(runtime, wanted, limit=limit)
    if as_json:
        print_json([_as_json(photo) for photo in page.photos])
    elif page.photos:
        out.print(_table(page.photos))
        if page.cursor:
            out.print(f"there are more: --limit {limit * 2} shows them", highlight=False)
    if not page.photos:
        fail("no photo has these words", Exit.FAILED)


def _as_json(photo: FoundPhoto) -> dict[str, object]:
    return {
        "batch_id": photo.batch_id,
        "job_id": photo.id,
        "name": photo.name,
        "timestamp": photo.timestamp,
        "sureness": photo.sureness,
    }


def _table(photos: Sequence[FoundPhoto]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for column in ("batch", "photo", "name", "how sure"):
        table.add_column(column, overflow="fold")
    for photo in photos:
        sureness = _TOLD[photo.sureness] if photo.sureness else ""
        table.add_row(escape(photo.batch_id), escape(photo.id), escape(photo.name), sureness)
    return table
