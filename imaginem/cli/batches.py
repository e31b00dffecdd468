"""`imaginem cancel`, `export` and `faces search`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from imaginem.cli.shared import App, Json, err, exit_on_error, fail, make_runtime, out, print_json
from imaginem.images.decoding import decode_photo
from imaginem.usecases.export import as_csv, as_rows
from imaginem.usecases.progress import read_batch

faces_app = typer.Typer(no_args_is_help=True, help="Faces of the gallery.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("cancel")(cancel)
    app.command("export")(export)


def cancel(
    batch: str,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take photos again; what was stopped stays so.")
    ] = False,
    app: App = Path(),
) -> None:
    """Stop a batch's jobs at their next hop; it takes no more photos."""
    with exit_on_error():
        runtime = make_runtime(app)
        rows = read_batch(runtime.log, batch, set())
        if not rows and not runtime.archive.submissions(batch):
            fail(f"there is no batch {batch}")
        if undo:
            runtime.cancellations.reopen(batch)
            out.print(f"batch {batch} takes photos again", highlight=False, markup=False)
            return
        runtime.cancellations.cancel(batch)
        running = sum(not row.has_ended for row in rows)
        told = f"batch {batch} is cancelled: {running} jobs stop at their next hop"
        out.print(told, highlight=False, markup=False)


def export(
    batch: str,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV, for spreadsheets.")] = False,
    to: Annotated[
        Path | None, typer.Option("--to", help="File to write; standard output by default.")
    ] = None,
    as_json: Json = False,
    app: App = Path(),
) -> None:
    """Write a batch's results as a table: JSON, or CSV with --csv."""
    if csv and as_json:
        raise typer.BadParameter("--csv and --json: choose one")
    with exit_on_error():
        rows = list(as_rows(make_runtime(app), batch))
        if not rows:
            fail(f"there are no results of batch {batch} yet; see `imaginem status {batch}`")
        if not csv and to is None:
            print_json(rows)
            return
        from pydantic_core import to_json

        text = as_csv(rows) if csv else to_json(rows, indent=2).decode()
        if to is None:
            typer.echo(text, nl=False)
            return
        try:
            to.write_text(text, "utf-8")
        except OSError as problem:
            fail(f"{to} can't be written: {problem.strerror}")
        err.print(f"{len(rows)} results are in {to}", highlight=False, markup=False)


@faces_app.command("search")
def search(photo: Path, as_json: Json = False, app: App = Path()) -> None:
    """Find faces that look like those of a photo, which is not kept."""
    with exit_on_error():
        try:
            data = photo.read_bytes()
        except OSError as problem:
            fail(f"{photo} can't be read: {problem.strerror}")
            return
        runtime = make_runtime(app)
        decoded = decode_photo(data)
        found = runtime.recognizer.search(
            decoded, runtime.faces.detect(decoded, for_recognition=True)
        )
        owners = runtime.gallery.owners([each.face_id for _, alike in found for each in alike])
    rows = [
        {
            "face": number,
            "rectangle": face.face_rectangle.model_dump(),
            "matches": [
                {
                    "face_id": each.face_id,
                    "confidence": each.confidence,
                    "band": each.band,
                    "batch_id": owner.batch_id,
                    "job_id": owner.job_id,
                }
                for each in alike
                if (owner := owners.get(each.face_id))
            ],
        }
        for number, (face, alike) in enumerate(found, 1)
    ]
    if as_json:
        print_json(rows)
        return
    if not rows:
        out.print("no face was found in this photo")
        return
    table = Table("face", "batch", "photo", "confidence", "", box=None, padding=(0, 1))
    for row in rows:
        if not row["matches"]:
            table.add_row(str(row["face"]), "-", "nobody looks like this face", "", "")
        for match in row["matches"]:  # type: ignore[attr-defined]
            table.add_row(
                str(row["face"]),
                match["batch_id"],
                match["job_id"],
                f"{match['confidence']:.2f}",
                match["band"],
            )
    out.print(table, markup=False)
