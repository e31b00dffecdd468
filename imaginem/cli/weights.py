"""Fetches and checks the files that steps bring, for commands."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from imaginem.assets.fetch_weights import fetch_weights
from imaginem.assets.weights import WeightsStore, told
from imaginem.cli.bars import bars
from imaginem.cli.shared import load_registry
from imaginem.errors import ConfigurationError
from imaginem.ports.weights import Weights
from imaginem.runtime import Runtime


def fetch_with_bars_of(
    runtime: Runtime, declared: Sequence[tuple[str, Weights]], console: Console
) -> list[str]:
    """Fetch the files of steps that are missing, with a progress bar for each.

    Raises:
        ConfigurationError: one is not the declared file.
        RetryableError: a download failed.
    """
    store = WeightsStore(runtime.settings.assets)
    with bars(console) as report:
        return fetch_weights(store, declared, report, runtime.blobs)


def steps_weights(app: Path) -> list[tuple[str, Weights]]:
    """Return the files of all steps of an app; none where it has no steps, as before it is made.

    Raises:
        ConfigurationError: the steps can't be imported.
    """
    return load_registry(app).weights() if (app / "steps").is_dir() else []


def check_weights_of(app: Path, store: WeightsStore) -> None:
    """Check the files of all steps.

    Raises:
        ConfigurationError: names each that is missing or another one, its step, and what to do.
    """
    problems = [
        told(step, weights, problem)
        for step, weights in steps_weights(app)
        if (problem := store.problem(weights))
    ]
    if problems:
        raise ConfigurationError("; ".join(problems))
