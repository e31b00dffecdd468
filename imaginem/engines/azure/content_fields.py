"""An analysis out of the fields that a generative model filled in for our analyzer."""

from imaginem.engines.azure.reading import Fields, fields, number, objects, text
from imaginem.engines.scores import adult_of
from imaginem.engines.supplement import PARTS
from imaginem.errors import PermanentError
from imaginem.images.decoding import Photo
from imaginem.outputs import (
    Adult,
    Caption,
    Category,
    Description,
    ImageAnalysis,
    PhotoMetadata,
    Tag,
)

_ASKED = {
    "tags": "Tags",
    "categories": "Categories",
    "description": "Caption",
    "adult": "AdultScore",
}
"""The parts of an analysis, each with the field without which it is not answered."""


def analysis_of(result: Fields, photo: Photo) -> ImageAnalysis:
    """Return what a result tells; the service looks for nothing of `PARTS`.

    Raises:
        PermanentError: it holds none of the fields that were asked for.
    """
    contents = objects(result.get("contents"))
    told = fields(contents[0].get("fields")) if contents else {}
    filled = {name: field for name, value in told.items() if (field := fields(value))}
    unanswered = [part for part, name in _ASKED.items() if not _has_value(filled.get(name))]
    if len(unanswered) == len(_ASKED):
        raise PermanentError(
            "Azure contentunderstanding analyze: the model filled in none of the fields that it "
            "was asked for; send the photo again"
        )
    tags = _tags(filled.get("Tags", {}))
    return ImageAnalysis(
        tags=tags,
        categories=[
            Category(name=name, score=score)
            for name, score in _named(filled.get("Categories", {}), "Score")
        ],
        description=_description(filled, tags),
        adult=_adult(filled),
        metadata=PhotoMetadata(width=photo.width, height=photo.height, format=photo.format),
        unanswered=unanswered or None,
        model_version=text(result.get("apiVersion")) or None,
        not_looked_for=list(PARTS),
    )


def _has_value(field: Fields | None) -> bool:
    return field is not None and (
        isinstance(field.get("valueArray"), list)
        or bool(text(field.get("valueString")).strip())
        or _share(field) is not None
    )


def _named(field: Fields, score: str) -> list[tuple[str, float]]:
    """Return name and score of each item of a list; an item without a name is left out."""
    items = []
    for item in objects(field.get("valueArray")):
        parts = fields(item.get("valueObject"))
        name = text(fields(parts.get("Name")).get("valueString")).strip()
        if name:
            items.append((name, _share(fields(parts.get(score))) or 0.0))
    return items


def _tags(field: Fields) -> list[Tag]:
    """Return each tag once, the surest first."""
    best: dict[str, float] = {}
    for name, confidence in _named(field, "Confidence"):
        best[name.lower()] = max(best.get(name.lower(), 0.0), confidence)
    ordered = sorted(best.items(), key=lambda item: -item[1])
    return [Tag(name=name, confidence=confidence) for name, confidence in ordered]


def _description(filled: Fields, tags: list[Tag]) -> Description:
    sentence = text(fields(filled.get("Caption")).get("valueString")).strip()
    if not sentence:
        return Description()
    confidence = _share(fields(filled.get("CaptionConfidence"))) or 0.0
    return Description(
        tags=[tag.name for tag in tags], captions=[Caption(text=sentence, confidence=confidence)]
    )


def _adult(filled: Fields) -> Adult:
    adult, racy, gore = (
        _share(fields(filled.get(name))) for name in ("AdultScore", "RacyScore", "GoreScore")
    )
    return adult_of(adult, racy, gore)


def _share(field: Fields) -> float | None:
    """Return a number that the model gave, within 0 and 1; None if it gave none."""
    told = number(field.get("valueNumber"))
    return None if told is None else round(min(max(told, 0.0), 1.0), 4)
