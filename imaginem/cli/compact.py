"""`imaginem compact`: removes from this disk what erased data left in the files of a home."""

import sys
from pathlib import Path

import typer

from imaginem.cli.shared import App, Exit, exit_on_error, fail, make_runtime, out
from imaginem.host.compacting import Compacting
from imaginem.host.home import HomeLock
from imaginem.ports.log_lines import log_to
from imaginem.runtime import Runtime


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compact")(compact)


def compact(app: App = Path()) -> None:
    """Remove from this disk what was erased; Imaginem must be stopped, and does it by itself."""
    log_to(sys.stderr)
    with exit_on_error():
        runtime = make_runtime(app)
        compacting = compacting_of(runtime)
        home = runtime.settings.home.absolute()
        if compacting is None or not home.is_dir():
            out.print("nothing to do: no storage and no results lie on this disk")
            return
        lock = HomeLock(home, port=0)
        lock.take()
        try:
            waits = compacting.run()
        finally:
            lock.release()
        for reason in waits:
            out.print(reason, markup=False, highlight=False, soft_wrap=True)
        if waits:
            fail("traces of what was erased may still lie on this disk", Exit.FAILED)
        out.print("nothing of what was erased is left in the files of this home")


def compacting_of(runtime: Runtime) -> Compacting | None:
    """Return what compacts a runtime's home; None where all data is on servers."""
    from imaginem.sql.wiping import write_anew
    from imaginem.storage import FileRemains

    if not isinstance(runtime.remains, FileRemains):
        return None
    settings = runtime.settings

    def write_anew_all() -> bool:
        runtime.face_index.forget_removed()
        return write_anew(runtime.database.file)

    return Compacting(
        settings.home.absolute() / "storage" if settings.uses_emulator else None,
        runtime.remains,
        runtime.landing,
        write_anew_all,
    )
