"""Submit photos as jobs, with steps and what is said to them checked."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic_core import from_json

from imaginem.cli.shared import Exit, err, fail
from imaginem.cli.sources import Source
from imaginem.errors import InvalidMessage
from imaginem.pipeline.barred import PhotoBarred
from imaginem.pipeline.means import FIELD, checked_parameters
from imaginem.pipeline.steps import Registry
from imaginem.ports import DashboardServices
from imaginem.usecases.admission import Admission, Wish, admit
from imaginem.usecases.intake import no_such_step, nothing_kept


def whole_pipeline(names: Sequence[str], registry: Registry) -> list[str]:
    """Return the wanted steps and those they require, in the order they run.

    Exits with code 2 if one is no step of the app, and says which one may be meant.
    """
    for name in names:
        if name not in registry:
            fail(f"--pipeline: {no_such_step(registry, name, '--raw')}", Exit.USAGE)
    return registry.resolve(names)


def check_pipeline_steps(names: Sequence[str], registry: Registry) -> list[str]:
    """Return a warning for each name that is not a step of the app, and if nothing is kept."""
    warnings = [
        f"{name} is no step here: the job will be handed over to that queue"
        f"{registry.suggestion(name)}"
        for name in names
        if name not in registry
    ]
    if told := nothing_kept(registry, names):
        warnings.append(f"{told}; `imaginem status BATCH JOB` shows it")
    return warnings


def said_to_steps(
    settings: Sequence[str], pipeline: Sequence[str], registry: Registry
) -> dict[str, dict[str, Any]]:
    """Return what `--set STEP.NAME=VALUE` says, checked; exits with code 2 if one is wrong.

    A value that begins as JSON lists, objects and texts do is JSON; any other is text, of which the
    step's model makes numbers.
    """
    given: dict[str, dict[str, Any]] = {}
    for each in settings:
        found = re.fullmatch(r"([a-z0-9]+)\.(\w+)=(.*)", each, re.DOTALL)
        if found is None:
            fail(f"--set: {each!r} is not of the form STEP.NAME=VALUE", Exit.USAGE)
        step, name, text = found.groups()
        value: Any = text
        if text.startswith(("[", "{", '"')):
            try:
                value = from_json(text)
            except ValueError as problem:
                fail(f"--set: the value of {step}.{name} is not JSON: {problem}", Exit.USAGE)
        given.setdefault(step, {})[name] = value
    try:
        return checked_parameters(given, pipeline, registry.parameters())
    except InvalidMessage as problem:
        fail(f"--set: {str(problem).removeprefix(f'{FIELD}.')}", Exit.USAGE)


def tell_receivers(services: DashboardServices) -> None:
    """Print where photos are sent, if an engine is a service."""
    for told in services.photo_receivers:
        err.print(told, markup=False, highlight=False, soft_wrap=True)


def submit_one(
    services: DashboardServices,
    source: Source,
    batch_id: str,
    pipeline: Sequence[str],
    *,
    again: bool = False,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
) -> Admission:
    """Submit a photo, unless its job is there. Raises the errors of `admit`."""
    photo = source.url if source.path is None else source.path.read_bytes()
    wish = Wish(
        batch_id, source.name, photo, pipeline, again=again, step_parameters=parameters or {}
    )
    return admit(services, wish)


def submit_each(
    services: DashboardServices,
    sources: Iterable[Source],
    batch_id: str,
    pipeline: Sequence[str],
    *,
    again: bool = False,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[list[tuple[Source, Admission]], list[str]]:
    """Submit photos, unless their jobs are there. Raises the errors of `admit`.

    Returns:
        The jobs, and why photos were refused that are barred: the others of a folder are sent.
    """
    submitted: list[tuple[Source, Admission]] = []
    barred: list[str] = []
    for source in sources:
        try:
            job = submit_one(
                services, source, batch_id, pipeline, again=again, parameters=parameters
            )
            submitted.append((source, job))
        except PhotoBarred as problem:
            barred.append(str(problem))
    return submitted, barred
