"""`imaginem audit`: export and verify the audit trail."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from imaginem.cli.shared import App, Json, err, exit_on_error, fail, make_runtime, out, print_json
from imaginem.usecases.audit.reading import export_lines, verify_lines, verify_stored
from imaginem.usecases.audit.verify import Verdict

audit_app = typer.Typer(no_args_is_help=True, help="The audit trail: who did what.")


@audit_app.command("export")
def export(
    to: Annotated[
        Path | None, typer.Option("--to", help="File to write; standard output by default.")
    ] = None,
    app: App = Path(),
) -> None:
    """Sign the audit trail's heads, and write all of it as lines of JSON."""
    with exit_on_error():
        lines = export_lines(make_runtime(app))
        if to is None:
            for line in lines:
                typer.echo(line)
            return
        count = 0
        with to.open("w", encoding="utf-8") as file:
            for line in lines:
                file.write(f"{line}\n")
                count += 1
        err.print(f"{count} lines are in {to}", highlight=False, markup=False)


@audit_app.command("verify")
def verify(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="An export; else what is kept.")
    ] = None,
    as_json: Json = False,
    app: App = Path(),
) -> None:
    """Find out whether entries were changed, removed, added or put into another order."""
    with exit_on_error():
        runtime = make_runtime(app)
        verdict = verify_stored(runtime) if file is None else verify_lines(runtime, _lines(file))
        if as_json:
            print_json({**vars(verdict), "faults": list(verdict.faults)})
        else:
            _tell(verdict)
        if verdict.faults:
            fail(f"{len(verdict.faults)} faults are in the audit trail")


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        yield from file


def _tell(verdict: Verdict) -> None:
    for fault in verdict.faults:
        out.print(fault, markup=False, highlight=False, soft_wrap=True)
    if verdict.signed_at:
        signed = f"signed until {verdict.signed_at}; {verdict.unsigned} came later"
    else:
        signed = "nothing is signed yet"
    line = f"{verdict.entries} entries in {verdict.chains} chains; {signed}"
    out.print(line, markup=False, highlight=False, soft_wrap=True)
    if verdict.unsigned:
        out.print("whether later ones were cut off can't be seen", markup=False, highlight=False)
