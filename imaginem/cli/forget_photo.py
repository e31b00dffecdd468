"""`imaginem forget --photo`: a photo by its file, wherever it is; and barring it."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import typer

from imaginem.cli.receipts import as_answer, tell_receipt
from imaginem.cli.shared import (
    Exit,
    exit_on_error,
    fail,
    known_steps,
    make_runtime,
    out,
    print_json,
)
from imaginem.errors import InvalidMessage
from imaginem.runtime import Runtime
from imaginem.usecases.access import EVERYTHING
from imaginem.usecases.forget_photo import (
    NO_JOB,
    ForgottenPhoto,
    Reach,
    find_photo,
    forget_photo,
    lift_photo,
)
from imaginem.usecases.same_photo import SoughtPhoto, sought, sought_by_hash


@dataclass(frozen=True)
class Wish:
    """What `imaginem forget --photo` is to do.

    Attributes:
        photo: path of the file, or the SHA-256 of its bytes.
        group: only in this group's batches; None: in all.
        never_again: bar the photo, too.
        lift: let it be sent again, and erase nothing.
    """

    photo: str
    group: str | None = None
    never_again: bool = False
    lift: bool = False

    @property
    def reach(self) -> Reach:
        """Whose batches count."""
        return Reach(EVERYTHING, self.group)


def check_choice(
    named: tuple[str, str, str, str], *, group: bool, never_again: bool, lift: bool
) -> None:
    """Check which options of `imaginem forget` were given together.

    Args:
        named: batch, job, face and photo, empty where not given.
        group: `--group` was given.
        never_again: `--never-again` was.
        lift: `--lift` was.

    Raises:
        BadParameter: they say nothing, or contradict each other.
    """
    batch, job, face, photo = named
    of_job = bool(batch and job)
    if sum(map(bool, (batch and not (face and of_job), face, photo))) > 1 or (job and not batch):
        raise typer.BadParameter(
            "choose one: --batch, --batch with --job, --face (with --batch and --job if it was "
            "never enrolled), or --photo"
        )
    if not (batch or face or photo):
        raise typer.BadParameter("--batch BATCH, --face FACE_ID or --photo FILE: what to erase")
    if not photo and (group or never_again or lift):
        raise typer.BadParameter("--group, --never-again and --lift go with --photo FILE")
    if never_again and lift:
        raise typer.BadParameter("--never-again and --lift: choose one")


def forget_by_file(app: Path, wish: Wish, *, yes: bool, as_json: bool) -> None:
    """Erase a photo everywhere, once that is confirmed, and bar it; or lift its bar."""
    with exit_on_error():
        runtime, photo = make_runtime(app), _read(wish.photo)
        known_steps(app)  # what is left of other photos is indexed anew
        if wish.lift:
            lifted = lift_photo(runtime, photo, wish.reach)
            _tell_lifted(wish, lifted, as_json=as_json)
            return
        if not yes:
            _confirm(runtime, photo, wish)
        done = forget_photo(runtime, photo, wish.reach, never_again=wish.never_again)
        if as_json:
            print_json({**as_answer(runtime, done.receipt), **done.as_json()})
            return
        _tell_erased(wish, done)
        tell_receipt(runtime, done.receipt)


def _read(photo: str) -> SoughtPhoto:
    try:
        return sought(Path(photo).expanduser().read_bytes())
    except OSError as problem:
        with suppress(InvalidMessage):
            return sought_by_hash(photo)
        why = f"--photo {photo} can't be read ({problem.strerror}), and is no SHA-256 either"
        fail(f"{why}: give a file, or 64 hex digits", Exit.USAGE)
        raise


def _confirm(runtime: Runtime, photo: SoughtPhoto, wish: Wish) -> None:
    found = find_photo(runtime, photo, wish.reach)
    if not found and not wish.never_again:
        fail(NO_JOB)
    batches = len({batch_id for batch_id, _ in found})
    barring = ", and bar the photo" if wish.never_again else ""
    typer.confirm(
        f"Jobs that have this photo: {len(found)}, in batches: {batches}. Erase all of "
        f"them{barring}? This can't be undone",
        abort=True,
    )


def _tell_lifted(wish: Wish, lifted: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        print_json({"lifted": lifted})
        return
    line = f"{wish.photo} may be sent again; it was barred in {_named(lifted)}"
    out.print(line, highlight=False, markup=False, soft_wrap=True)


def _tell_erased(wish: Wish, done: ForgottenPhoto) -> None:
    if not done.jobs:
        out.print("no job has this photo")
    for batch_id, job_id in done.jobs:
        line = f"job {job_id} of batch {batch_id} is erased"
        out.print(line, highlight=False, markup=False, soft_wrap=True)
    if done.barred:
        line = f"{wish.photo} is barred in {_named(done.barred)}"
        out.print(line, highlight=False, markup=False, soft_wrap=True)


def _named(groups: Sequence[str]) -> str:
    return ", ".join(group or "batches of no group" for group in groups)
