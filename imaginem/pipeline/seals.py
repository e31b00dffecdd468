"""Seals on what a message says of our own work, so that nobody else can make it up.

Anybody who can write to a queue can write `_imaginem`, a run and a fence among it. Most of what
stands there concerns the message's own job. Two things do not: that the photo was found not to be
barred, and what an output was made of, by which other jobs of the group may reuse it. Both are
believed with a seal alone: a MAC with the installation's key, which nobody learns from a queue.
Without one the photo is looked at once more, and the output is offered to nobody. So messages of
an earlier version, which have none, go on.
"""

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

from imaginem.errors import ImaginemError
from imaginem.message import JobMessage
from imaginem.ports import Services, is_signed

_PHOTO = "message.photo"
_OUTPUT = "message.output"

Place = tuple[str, str]
"""Container and name of a photo in our account."""


def with_sealed_photo(message: JobMessage, place: Place | None, services: Services) -> JobMessage:
    """Return the message saying that its run's photo was found not to be barred.

    Args:
        message: of the run that looked.
        place: of the photo.
        services: have the key.
    """
    return message.noting(unbarred=_seal(_PHOTO, _photo(message, place), services))


def is_photo_sealed(message: JobMessage, place: Place | None, services: Services) -> bool:
    """Tell whether this run has found before that the photo at this place is not barred."""
    seal = message.job_definition.bookkeeping.unbarred
    return _is_sealed(_PHOTO, _photo(message, place), seal, services)


def with_sealed_output(
    message: JobMessage, step: str, made: str, output: Any, services: Services
) -> JobMessage:
    """Return the message saying what a step's output was made of.

    Args:
        message: that the step ran for.
        step: its name.
        made: what it was made of; see `imaginem.pipeline.reuse`.
        output: a JSON value.
        services: have the key.
    """
    kept = message.job_definition.bookkeeping
    seal = _seal(_OUTPUT, to_json((step, made, output)), services)
    return message.noting(made={**kept.made, step: made}, seals={**kept.seals, step: seal})


def sealed_outputs(
    message: JobMessage, outputs: Mapping[str, Any], services: Services
) -> dict[str, str]:
    """Return what outputs were made of, by step, of those that are still as they were made.

    Args:
        message: that carries them.
        outputs: the same, with every linked one inlined.
        services: have the key.
    """
    kept = message.job_definition.bookkeeping
    return {
        step: made
        for step, made in kept.made.items()
        if step in outputs
        and _is_sealed(
            _OUTPUT, to_json((step, made, outputs[step])), kept.seals.get(step, ""), services
        )
    }


def _photo(message: JobMessage, place: Place | None) -> bytes:
    """Return what the seal of a photo is about: another run may have another photo there."""
    kept = message.job_definition.bookkeeping
    etag = kept.dropped.etag if kept.dropped else ""
    return to_json((*message.key, kept.run, *(place or ()), etag))


def _seal(use: str, data: bytes, services: Services) -> str:
    try:
        return services.installation_key.mac(use, data)
    except ImaginemError:  # then it is looked at again, and not reused
        return ""


def _is_sealed(use: str, data: bytes, seal: str, services: Services) -> bool:
    try:
        return bool(seal) and is_signed(services.installation_key, use, data, seal)
    except ImaginemError:
        return False
