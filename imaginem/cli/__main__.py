"""The command line `imaginem`: puts the commands of all files together."""

from typing import Annotated

import typer

import imaginem
from imaginem.cli import (
    ai_emulator,
    assets,
    audit,
    batches,
    compact,
    costs,
    database,
    demo,
    doctor,
    jobs,
    operate,
    pausing,
    poison,
    receipts,
    rerun,
    search,
    serve,
    steps,
    submitting,
    tombstones,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Turns photos into a rich, searchable, tagged set.",
)
serve.register(app)
demo.register(app)
submitting.register(app)
jobs.register(app)
batches.register(app)
pausing.register(app)
steps.register(app)
operate.register(app)
compact.register(app)
costs.register(app)
rerun.register(app)
search.register(app)
doctor.register(app)
ai_emulator.register(app)
app.add_typer(audit.audit_app, name="audit")
app.add_typer(assets.app, name="assets")
app.add_typer(poison.poison_app, name="poison")
app.add_typer(receipts.receipt_app, name="receipt")
app.add_typer(tombstones.tombstones_app, name="tombstones")
app.add_typer(batches.faces_app, name="faces")
app.add_typer(database.db_app, name="db")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"imaginem {imaginem.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Turns photos into a rich, searchable, tagged set."""


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
