"""`imaginem search`: photos by the words in them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from imaginem.cli.shared import (
    App,
    Exit,
    Json,
    exit_on_error,
    fail,
    known_steps,
    make_reader,
    note,
    out,
    print_json,
)
from imaginem.ports import FoundPhoto, PhotoFilter
from imaginem.ports.text_search import Sureness
from imaginem.runtime import Runtime
from imaginem.usecases.batches import batch_overview
from imaginem.usecases.own_outputs import OwnOutputs
from imaginem.usecases.searching import NO_WORD, find_photos, has_words
from imaginem.usecases.unsearched import unsearched

_TOLD = {
    Sureness.EXACT: "exact",
    Sureness.BEGINNING: "begins like this",
    Sureness.SIMILAR: "similar",
    Sureness.OTHER_SCRIPT: "in another script",
}
_MOST = 1_000
"""Photos that are told at once."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("search")(search)


def search(
    words: Annotated[list[str] | None, typer.Argument(help="All of them are in the photo.")] = None,
    batch: Annotated[str, typer.Option("--batch", help="In this batch alone.")] = "",
    tag: Annotated[str, typer.Option("--tag", help="With this tag.")] = "",
    unreadable: Annotated[
        str,
        typer.Option("--unreadable", help="With text that can't be read, as a search tells it."),
    ] = "",
    where: Annotated[
        list[str] | None,
        typer.Option("--where", help="What an own step found: step.field>=5. May be repeated."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=_MOST, help="Photos at most.")] = 50,
    as_json: Json = False,
    app: App = Path(),
) -> None:
    """Find photos by their words, in any script, their tags, and what own steps found."""
    text = " ".join(words or ())
    # Without, all photos would be hits, or none has these words.
    if not has_words(text) and (text or not (where or tag or unreadable)):
        fail(NO_WORD, Exit.USAGE)
    with exit_on_error():
        runtime = make_reader(app)
        conditions = OwnOutputs(known_steps(app)).conditions(" and ".join(where or ()))
        wanted = PhotoFilter(
            tag=tag, text=text, batch=batch, where=conditions, unreadable=unreadable
        )
        page = find_photos(runtime, wanted, limit=limit)
        left = unsearched(runtime, wanted, found=bool(page.photos))
    if as_json:
        print_json([_as_json(photo) for photo in page.photos])
    elif page.photos:
        out.print(_table(page.photos))
        if page.cursor:
            more = f"--limit {limit * 2} shows them" if limit * 2 <= _MOST else "name more words"
            out.print(f"there are more: {more}", highlight=False)
    if not page.photos:
        with exit_on_error():
            _check_batch(runtime, batch)
    for photos in left:
        note(photos.sentence)
    if not page.photos:
        so_far = " so far" if any(photos.may_be_found_later for photos in left) else ""
        fits = "no photo fits" if where or not text else "no photo has these words"
        fail(f"{fits}{so_far}", Exit.FAILED)


def _check_batch(runtime: Runtime, batch: str) -> None:
    """Raise `NotFound` if there is no such batch: that is not the same as no such photo in it."""
    if batch and not runtime.catalogue.photos(PhotoFilter(batch=batch), "", 1).photos:
        batch_overview(runtime, batch)


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
