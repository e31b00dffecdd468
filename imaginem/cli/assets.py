"""`imaginem assets`: pinned weights and sample photos."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from imaginem.assets import AssetStore
from imaginem.assets.fetch import fetch
from imaginem.assets.weights import WeightsStore
from imaginem.cli.bars import bars
from imaginem.cli.shared import (
    App,
    Exit,
    Json,
    err,
    exit_on_error,
    fail,
    make_runtime,
    out,
    print_json,
)
from imaginem.cli.weights import check_weights_of, fetch_with_bars_of, steps_weights
from imaginem.config.ocr_languages import kinds_of_data

app = typer.Typer(no_args_is_help=True, help="Weights and sample photos.")


def fetch_with_bars(store: AssetStore, kinds: list[str], console: Console) -> list[str]:
    """Fetch the missing files, with a progress bar for each; return the names of those fetched."""
    with bars(console) as report:
        return fetch(store, kinds, report)


@app.command("fetch")
def fetch_command(
    samples: Annotated[bool, typer.Option(help="Fetch the sample photos too.")] = True,
    bench: Annotated[bool, typer.Option(help="Fetch the photos for measuring too.")] = False,
    only_steps: Annotated[bool, typer.Option(help="Fetch nothing but the files of steps.")] = False,
    app_folder: App = Path(),
) -> None:
    """Download the weights, language data and sample photos that are missing, and steps' files.

    Goes on after a break. OCR_LANGUAGES says which language data is wanted.
    """
    with exit_on_error():
        runtime = make_runtime(app_folder)
        settings, store = runtime.settings, AssetStore(runtime.settings.assets)
        kinds = ["model", *(["sample"] if samples else []), *(["bench"] if bench else [])]
        kinds += kinds_of_data(settings.ocr_languages)
        fetched = [] if only_steps else fetch_with_bars(store, kinds, err)
        fetched += fetch_with_bars_of(runtime, steps_weights(app_folder), err)
        out.print(
            f"{len(fetched)} files fetched into {store.folder}"
            if fetched
            else f"nothing is missing in {store.folder}",
            soft_wrap=True,
        )


@app.command("verify")
def verify(as_json: Json = False, app_folder: App = Path()) -> None:
    """Check every fetched file against its pinned sha256."""
    with exit_on_error():
        settings = make_runtime(app_folder).settings
        store = AssetStore(settings.assets)
        kinds = ["model", "sample", *kinds_of_data(settings.ocr_languages)]
        problems = [(asset, store.problem(asset)) for asset in store.manifest.of_kind(*kinds)]
        if as_json:
            print_json(
                [
                    {"name": asset.name, "licence": asset.licence, "problem": problem}
                    for asset, problem in problems
                ]
            )
        else:
            for asset, problem in problems:
                mark = f"[red]{problem}[/]" if problem else "[green]ok[/]"
                out.print(f"{asset.name}: {mark} ({asset.licence})", highlight=False)
        check_weights_of(app_folder, WeightsStore(settings.assets))
        if any(problem for _, problem in problems):
            fail("some files are not the pinned ones: run `imaginem assets fetch`", Exit.FAILED)
