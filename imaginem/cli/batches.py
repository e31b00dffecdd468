"""`imaginem cancel`, `export`, `forget` and `faces search`."""

import uuid
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from imaginem.cli.forget_photo import Wish, check_choice, forget_by_file
from imaginem.cli.matched_photos import photos_of
from imaginem.cli.progress import tell_unfinished
from imaginem.cli.receipts import as_answer, tell_receipt
from imaginem.cli.shared import (
    App,
    Exit,
    Json,
    Purpose,
    err,
    exit_on_error,
    fail,
    known_steps,
    make_reader,
    make_runtime,
    note,
    out,
    print_json,
)
from imaginem.ports import JobKey
from imaginem.usecases.access import EVERYTHING
from imaginem.usecases.audit.acting import state_purpose
from imaginem.usecases.batches import batch_overview, cancel_batch, reopen_batch
from imaginem.usecases.erase import forget_batch, forget_job
from imaginem.usecases.export import as_csv, as_rows
from imaginem.usecases.faces import FaceSearch, SearchedFace, search_faces
from imaginem.usecases.forget_face import forget_face
from imaginem.usecases.unsearched import at_work_for
from imaginem.usecases.unseen import SeenOfFile

faces_app = typer.Typer(no_args_is_help=True, help="Faces of the gallery.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("cancel")(cancel)
    app.command("export")(export)
    app.command("forget")(forget)


def cancel(
    batch: str,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take photos again; what was stopped stays so.")
    ] = False,
    app: App = Path(),
) -> None:
    """Stop a batch's jobs before their next step; it takes no more photos."""
    with exit_on_error():
        runtime = make_runtime(app)
        if undo:
            reopen_batch(runtime, batch)
            out.print(f"batch {batch} takes photos again", highlight=False, markup=False)
            return
        running = cancel_batch(runtime, batch)
        line = f"batch {batch} is cancelled: {running} jobs stop before their next step"
        out.print(line, highlight=False, markup=False)


def forget(
    batch: Annotated[str, typer.Option("--batch", help="Batch to erase, or the job's.")] = "",
    job: Annotated[str, typer.Option("--job", help="Erase this job of the batch alone.")] = "",
    photo: Annotated[
        str, typer.Option("--photo", metavar="FILE", help="Erase all jobs of this very photo.")
    ] = "",
    group: Annotated[
        str | None, typer.Option("--group", help="With --photo: only in this group's batches.")
    ] = None,
    never_again: Annotated[
        bool, typer.Option("--never-again", help="With --photo: bar it, so that it stays away.")
    ] = False,
    lift: Annotated[
        bool, typer.Option("--lift", help="With --photo: let it be sent again; erase nothing.")
    ] = False,
    face: Annotated[
        str,
        typer.Option(
            "--face",
            help="Erase this face alone; its photo stays. One never enrolled: with its job.",
        ),
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    as_json: Json = False,
    app: App = Path(),
) -> None:
    """Erase a job, a batch, a face, or a photo wherever it is, for good; tell what went."""
    check_choice(
        (batch, job, face, photo), group=group is not None, never_again=never_again, lift=lift
    )
    if photo:
        wish = Wish(photo, group, never_again=never_again, lift=lift)
        forget_by_file(app, wish, yes=yes, as_json=as_json)
        return
    if face:
        _forget_face(_face_id(face), (batch, job) if job else None, yes, as_json, app)
        return
    what = f"job {job} of batch {batch}" if job else f"batch {batch}"
    if not yes:
        typer.confirm(f"Erase {what}: photos, results and faces? This can't be undone", abort=True)
    with exit_on_error():
        runtime = make_runtime(app)
        known_steps(app)  # what is left of photos is indexed anew
        done = forget_job(runtime, (batch, job)) if job else forget_batch(runtime, batch)
        if as_json:
            print_json(as_answer(runtime, done))
            return
        out.print(f"{what} is erased: {done.jobs} jobs", highlight=False, markup=False)
        tell_receipt(runtime, done)


def _forget_face(
    face_id: uuid.UUID, key: JobKey | None, yes: bool, as_json: bool, app: Path
) -> None:
    what = f"face {face_id}"
    if not yes:
        question = f"Erase {what}? Its photo stays, and shows it. This can't be undone"
        typer.confirm(question, abort=True)
    with exit_on_error():
        runtime = make_runtime(app)
        known_steps(app)  # what is left of the photo is indexed anew
        done = forget_face(runtime, face_id, EVERYTHING, key)
        if as_json:
            print_json(as_answer(runtime, done))
            return
        out.print(f"{what} is erased; its photo stays", highlight=False, markup=False)
        tell_receipt(runtime, done)


def _face_id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise typer.BadParameter(f"--face {text!r} is no face id, which is a UUID") from None


def export(
    batch: str,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV, for spreadsheets.")] = False,
    to: Annotated[
        Path | None, typer.Option("--to", help="File to write; standard output by default.")
    ] = None,
    as_json: Json = False,
    purpose: Purpose = "",
    app: App = Path(),
) -> None:
    """Write a batch's results as a table: JSON, or CSV with --csv."""
    if csv and as_json:
        raise typer.BadParameter("--csv and --json: choose one")
    with exit_on_error():
        runtime = make_reader(app)
        state_purpose(purpose)
        rows = as_rows(runtime, batch, EVERYTHING, known_steps(app))
        if not rows:
            batch_overview(runtime, batch)
            fail(f"there are no results of batch {batch}; see `imaginem status {batch}`")
        tell_unfinished(runtime, batch, {row["job_id"] for row in rows})
        if not csv and to is None:
            print_json(rows)
            return
        from pydantic_core import to_json

        text = as_csv(rows) if csv else to_json(rows, indent=2, inf_nan_mode="null").decode()
        if to is None:
            typer.echo(text, nl=False)
            return
        try:
            to.write_text(text, "utf-8")
        except OSError as problem:
            fail(f"{to} can't be written: {problem.strerror}")
        err.print(f"{len(rows)} results are in {to}", highlight=False, markup=False)


@faces_app.command("search")
def search(photo: Path, as_json: Json = False, purpose: Purpose = "", app: App = Path()) -> None:
    """Find faces that look like those of a photo, which is not kept."""
    with exit_on_error():
        try:
            data = photo.read_bytes()
        except OSError as problem:
            fail(f"{photo} can't be read: {problem.strerror}", Exit.CONFIGURATION)
        runtime = make_reader(app)
        state_purpose(purpose)
        found = search_faces(runtime, data, EVERYTHING)
        left = at_work_for(runtime, EVERYTHING.groups)
    if as_json:
        print_json([_as_json(number, face) for number, face in enumerate(found.faces, 1)])
        _tell_unseen(found, err)
    else:
        show_search(found, out)
    for photos in left:
        note(photos.sentence)


def show_search(found: FaceSearch, console: Console) -> None:
    """Print who looks like the faces of a photo, and what could not be said."""
    if found.faces:
        console.print(_face_table(found), markup=False)
    elif not found.not_compared:
        console.print("no face was found in this photo")
    _tell_unseen(found, console)
    for number, face in enumerate(found.faces, 1):
        if face.may_have_more:
            console.print(f"face {number}: there may be more than these {face.files}")


def _tell_unseen(found: FaceSearch, console: Console) -> None:
    """Print what was not looked at, or not compared."""
    for sentence in SeenOfFile(
        ends_early=found.ends_early, pages=found.pages, unread_pages=tuple(found.unread_pages)
    ).sentences:
        console.print(sentence, highlight=False, soft_wrap=True)
    if found.has_other_models:
        console.print(
            "some faces of the gallery were enrolled by another model, and not compared: run their "
            "photos again first",
            soft_wrap=True,
        )
    if found.not_compared:
        console.print(f"{found.not_compared} faces of this photo can't be compared")


def _as_json(number: int, face: SearchedFace) -> dict[str, Any]:
    return {
        "face": number,
        "rectangle": face.rectangle.model_dump(),
        **({"page": face.page} if face.page else {}),
        "matches": [
            {
                "face_id": match.matched_face_id,
                "confidence": match.confidence,
                "band": match.band,
                "batch_id": match.batch_id,
                "job_id": match.job_id,
                "page": match.page,
                "file": match.file,
                "same_photo": match.same_photo,
                "copies": [
                    {"face_id": copy.face_id, "batch_id": copy.batch_id, "job_id": copy.job_id}
                    for copy in match.copies
                ],
            }
            for match in face.matches
        ],
    }


def _face_table(search: FaceSearch) -> Table:
    nobody = "nobody was found" if search.has_other_models else "nobody looks like this face"
    table = Table("face", "batch", "photo", "confidence", "", box=None, padding=(0, 1))
    for number, face in enumerate(search.faces, 1):
        shown = f"{number} (page {face.page})" if face.page else str(number)
        if not face.matches:
            table.add_row(shown, "-", nobody, "", "")
        for photo in photos_of(face.matches):
            confidence = f"{photo.confidence:.2f}"
            table.add_row(shown, photo.batch_id, photo.job_id, confidence, photo.told)
    return table
