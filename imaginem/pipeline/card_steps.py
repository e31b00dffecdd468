"""Steps made of model cards: a file in steps/ names the card beside it, and needs no more code."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from imaginem.errors import ConfigurationError, RegistrationError
from imaginem.images.decoding import Photo
from imaginem.outputs import ModelObjects, ModelOutput, ModelTags
from imaginem.pipeline.context import JobContext
from imaginem.pipeline.steps import Registering, Registry, Step, step
from imaginem.ports.card_reading import read_card
from imaginem.ports.model_card import ClassifierCard, DetectorCard

AnyCard = ClassifierCard | DetectorCard
CardT = TypeVar("CardT", ClassifierCard, DetectorCard)

REQUIREMENTS = ("numpy", "onnxruntime")
"""What Azure must install for a step that runs a network."""


def classifier_step(
    file: str, *, alone: bool = False, registry: Registry | None = None
) -> Step[JobContext, ModelTags]:
    """Return the step of a classifier's card.

    Args:
        file: `__file__` of the step; the card is beside it, with the ending .json.
        alone: the step has a queue of its own, for a large model.
        registry: where to register it, for tests.

    Raises:
        RegistrationError: the card is missing or wrong, or not a classifier's.
    """
    name, card = _card(file, ClassifierCard)

    def look(job: JobContext) -> ModelTags:
        tags = _by_page(job, lambda photo: job.models.tags(name, card, photo))
        return ModelTags(tags=tags, **_about(card, job.image))

    _name(look, name, f"Say what is in the photo, by {card.name}.")
    return _registering(card, alone, registry)(look)


def detector_step(
    file: str, *, alone: bool = False, registry: Registry | None = None
) -> Step[JobContext, ModelObjects]:
    """Return the step of a detector's card; arguments and errors as of `classifier_step`."""
    name, card = _card(file, DetectorCard)

    def look(job: JobContext) -> ModelObjects:
        objects = _by_page(job, lambda photo: job.models.objects(name, card, photo))
        return ModelObjects(objects=objects, **_about(card, job.image))

    _name(look, name, f"Find things in the photo, by {card.name}.")
    return _registering(card, alone, registry)(look)


def _card(file: str, kind: type[CardT]) -> tuple[str, CardT]:
    """Return the name of a step, and its card."""
    path = Path(file).with_suffix(".json")
    try:
        card = read_card(path)
    except ConfigurationError as problem:
        raise RegistrationError(f"step {path.stem!r}: {problem}") from None
    if not isinstance(card, kind):
        raise RegistrationError(
            f"step {path.stem!r}: {path.name} is the card of a {card.kind}: use "
            f"{card.kind}_step in {Path(file).name}"
        )
    return path.stem, card


def _registering(card: AnyCard, alone: bool, registry: Registry | None) -> Registering:
    """Return what makes a step of a function that asks a card's model."""
    return step(
        alone=alone,
        weights=card.weights,
        requirements=REQUIREMENTS,
        registry=registry,
        pure=True,
        made_with=card.model_dump_json(),
    )


def _by_page(job: JobContext, look: Callable[[Photo], Sequence[Any]]) -> list[Any]:
    """Return what is found on all pages of the photo's file; each says on which."""
    return [
        found.model_copy(update={"page": photo.page})
        for photo in job.image.pages()
        for found in look(photo)
    ]


def _about(card: AnyCard, photo: Photo) -> dict[str, Any]:
    """Return the fields of `ModelOutput`."""
    return {
        "model": card.name,
        "model_version": card.version,
        "threshold": card.threshold,
        "ends_early": photo.ends_early or None,
        "pages": photo.page_count if photo.page_count > 1 else None,
        "unread_pages": sorted(photo.unread_pages) or None,
    }


def _name(look: Callable[[JobContext], ModelOutput], name: str, summary: str) -> None:
    """Give a function the step's name and summary, which `@step` reads."""
    look.__name__ = look.__qualname__ = name
    look.__doc__ = summary
