"""`imaginem doctor`."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import typer

from imaginem.assets import AssetStore
from imaginem.assets.nodejs import node_command
from imaginem.assets.weights import WeightsStore
from imaginem.cli.serve import home_matters
from imaginem.cli.shared import (
    App,
    Exit,
    Json,
    load_registry,
    make_runtime,
    out,
    print_json,
    storage_advice,
)
from imaginem.cli.weights import check_weights_of
from imaginem.config.retirement import Retirement, retirements
from imaginem.config.settings import Settings
from imaginem.config.startup import unknown_steps
from imaginem.errors import ConfigurationError, ImaginemError, StorageSilent, free_bytes
from imaginem.host.emulator import emulator_package
from imaginem.host.identity import check_identity
from imaginem.pipeline.brought import check_installed
from imaginem.pipeline.import_faults import forgotten_steps
from imaginem.pipeline.means import check_settings
from imaginem.pipeline.steps import Registry
from imaginem.runtime import Runtime
from imaginem.usecases.health import (
    Check,
    Finding,
    ServiceChecks,
    engine_checks,
    examine,
    what_remains,
)

_ENOUGH_ROOM = 200 * 2**20
"""Bytes that should be free for photos, results and what the storage emulator keeps."""
_NAMES = {
    "queues": "storage (queues)",
    "tables": "storage (tables)",
    "blobs": "storage (blobs)",
}
"""What checks are called here that API and pages have too."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(as_json: Json = False, app: App = Path()) -> None:
    """Check settings, storage, database, engines and steps, and say how to mend each."""
    findings = examine_app(app)
    if as_json:
        print_json([_shown(finding) for finding in findings])
    else:
        for finding in findings:
            _print(finding)
    if any(finding.problem for finding in findings):
        raise typer.Exit(int(Exit.FAILED))


def _shown(finding: Finding) -> dict[str, str]:
    note = {"note": finding.note} if finding.note else {}
    return {"check": finding.name, "problem": finding.problem, **note}


def _print(finding: Finding) -> None:
    mark = "[red]no[/]  " if finding.problem else "[green]ok[/]  "
    out.print(mark + finding.name, highlight=False)
    for line in filter(None, (finding.problem, finding.note)):
        out.print(f"      {line}", markup=False, soft_wrap=True, highlight=False)


def examine_app(app: Path) -> list[Finding]:
    """Return what is well in an app's folder and what is not."""
    steps, registry = _steps(app)
    try:
        runtime = make_runtime(app)
    except ImaginemError as problem:
        return [steps, Finding("settings", str(problem))]  # names all that is wrong, however long
    findings = examine(_checks(runtime, app, registry))
    names = _NAMES | {name: f"engine for {name}" for name in runtime.engine_kinds}
    shown = [Finding(names.get(f.name, f.name), f.problem) for f in findings]
    return [
        steps,
        Finding("settings"),
        *shown,
        *unread_languages(runtime.settings),
        *ends_of(runtime.settings, datetime.now(UTC).date()),
        *(Finding("where photos go", note=told) for told in runtime.photo_receivers),
        *what_remains(runtime.remains),
    ]


def unread_languages(settings: Settings) -> list[Finding]:
    """Return a finding where the local OCR lacks what it needs for some languages: no problem."""
    if settings.ocr_engine != "local":
        return []
    from imaginem.engines.local.scripts.ready import what_is_missing, what_the_system_lacks

    store, languages = AssetStore(settings.assets), settings.ocr_languages
    told = (what_is_missing(store, languages), what_the_system_lacks(store, languages))
    return [Finding("languages of text", note="; ".join(filter(None, told)))]


def ends_of(settings: Settings, today: date) -> list[Finding]:
    """Return a finding for each service in use with a last day; a problem once it is gone."""
    return [
        Finding(f"service of {end.setting}={end.engine}", *_told(end))
        for end in retirements(settings.engine_table, settings.engine_choices, today)
    ]


def _told(end: Retirement) -> tuple[str, str]:
    """Return problem and note."""
    return (end.text, "") if end.is_over else ("", end.text)


def _steps(app: Path) -> tuple[Finding, Registry | None]:
    """Return whether the steps can be imported, what looks like one and is none, and the steps."""
    (found,) = examine([Check("steps", lambda: load_registry(app))])
    if found.problem:
        return found, None
    registry = load_registry(app)
    return replace(found, note="; ".join(forgotten_steps(registry))), registry


def _checks(runtime: Runtime, app: Path, registry: Registry | None = None) -> Iterator[Check]:
    """Yield the checks; those of steps only if these could be imported."""
    settings = runtime.settings
    yield Check("disk", lambda: _check_room(settings.home.absolute()))
    if registry is not None:
        store = WeightsStore(settings.assets)
        yield Check("pipeline", lambda: check_pipeline(settings, registry.names()))
        yield Check("settings of steps", lambda: _check_steps(registry))
        yield Check("weights of steps", lambda: check_weights_of(app, store))
        yield Check("packages of steps", lambda: check_installed(registry.requirements()))
    for check in ServiceChecks(runtime, settings.pipeline).checks():
        yield with_advice(check, settings)
    if home_matters(settings):
        state, name = runtime.shared_state, settings.storage_name
        home = Check("home", lambda: check_identity(settings.home, state, name))
        yield with_advice(home, settings)
    if settings.uses_emulator:
        yield Check("node for the storage emulator", node_command)
        yield Check("storage emulator", lambda: emulator_package(app))
    yield from local_checks(settings)
    yield from engine_checks(runtime)


def local_checks(settings: Settings) -> Iterator[Check]:
    """Return a check of each thing that local engines need; none where none is chosen."""
    providers = settings.engine_table.providers(settings.engine_choices)
    if any(provider.needs_weights for _, provider in providers):
        yield Check("weights", lambda: _check_weights(AssetStore(settings.assets)))
        yield Check("runtime of networks", lambda: _check_runtime(settings))


def with_advice(check: Check, settings: Settings) -> Check:
    """Return a check that says what to do if storage does not answer."""

    def look() -> None:
        try:
            check.look()
        except StorageSilent as problem:
            raise StorageSilent(f"{problem}: {storage_advice(settings)}") from None

    return Check(check.name, look)


def _check_room(home: Path) -> None:
    free = free_bytes(home)
    if free is not None and free < _ENOUGH_ROOM:
        raise ConfigurationError(
            f"IMAGINEM_HOME {home} has {free / 1e6:.0f} MB free, which photos soon fill: make room"
        )


def _check_steps(registry: Registry) -> None:
    check_settings(registry.settings(), os.environ, Settings.declared())


def check_pipeline(settings: Settings, known: Sequence[str]) -> None:
    """Check that there is a step of each name in the settings.

    Args:
        settings: of the app.
        known: names of the app's steps.

    Raises:
        ConfigurationError: there is none of some names; tells which.
    """
    problems = unknown_steps(settings, known)
    if problems:
        raise ConfigurationError("; ".join(problems))


def _check_runtime(settings: Settings) -> None:
    from imaginem.engines.local.models import check_runtime  # loads numpy

    check_runtime(settings.local_runtime)


def _check_weights(store: AssetStore) -> None:
    wrong = [
        f"{asset.name} ({problem})"
        for asset in store.manifest.of_kind("model")
        if (problem := store.problem(asset))
    ]
    if wrong:
        raise ConfigurationError(f"{', '.join(wrong)}: run `imaginem assets fetch`")
