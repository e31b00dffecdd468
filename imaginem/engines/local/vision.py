"""The local vision engine: puts together objects, tags, colours and a plain sentence."""

import logging
from collections import Counter
from collections.abc import Sequence
from functools import cached_property

from imaginem.assets import AssetStore
from imaginem.config.settings import Settings
from imaginem.engines.local.adult import AdultScorer
from imaginem.engines.local.colors import colors, image_type, thumbnail
from imaginem.engines.local.models import RuntimeSetting
from imaginem.engines.local.objects import ObjectDetector
from imaginem.engines.local.photo_faults import photo_faults
from imaginem.engines.local.tagger import Tagger, families
from imaginem.engines.local.words import Words
from imaginem.engines.logs import logger_for
from imaginem.engines.parts import EngineParts
from imaginem.images.decoding import Photo
from imaginem.outputs import (
    Caption,
    Category,
    Description,
    FoundObject,
    ImageAnalysis,
    PhotoMetadata,
    Tag,
)
from imaginem.ports import CallContext, VisionEngine

_PETS = ("cat", "dog")
_SURE_OF_PET = 0.6
_PORTRAIT_SHARE = 0.3
_GROUP = 3  # people
_UNCOUNTED = ("food", "furniture", "luggage", "medical")
_logger = logging.getLogger("imaginem.engines.local")


class LocalVision:
    """Says what is in a photo.

    Args:
        store: has the weights.
        runtime: the setting LOCAL_RUNTIME.
    """

    name = "local-1"

    def __init__(self, store: AssetStore, runtime: RuntimeSetting = "auto") -> None:
        self._tagger = Tagger(store, runtime)
        self._objects = ObjectDetector(store, runtime)
        self._adult = AdultScorer(store, runtime)

    @cached_property
    def _words(self) -> Words:
        return Words(self._tagger.labels)

    @photo_faults("say what is in it")
    def analyze(self, photo: Photo, call: CallContext) -> ImageAnalysis:
        """Return what is in a photo."""
        rgb = photo.array
        probabilities = self._tagger.probabilities(rgb)
        objects = self._words.seen(probabilities, self._objects.objects(rgb))
        objects = corrected_pets(objects, families(probabilities))
        people = [thing for thing in objects if thing.object == "person"]
        tags = merged_tags(objects, self._words.tags(probabilities, objects))
        told = self._words.without_people(probabilities, objects)
        logger_for(_logger, call).debug(
            "%s: %d objects, %d tags", self.name, len(objects), len(tags)
        )
        categories = people_category(people, photo) + self._tagger.categories(told)
        return ImageAnalysis(
            tags=tags,
            categories=categories or [Category(name="others_", score=1.0)],
            description=describe(objects, tags),
            objects=objects,
            color=colors(thumbnail(rgb)),
            adult=self._adult.score(photo),
            image_type=image_type(rgb),
            metadata=PhotoMetadata(width=photo.width, height=photo.height, format=photo.format),
        )


def engine_name(settings: Settings) -> str:
    """Return the engine's name."""
    return LocalVision.name


def make_engine(parts: EngineParts) -> VisionEngine:
    """Return the engine of `generalclassification`."""
    return LocalVision(AssetStore(parts.settings.assets), parts.settings.local_runtime)


def corrected_pets(objects: Sequence[FoundObject], shares: dict[str, float]) -> list[FoundObject]:
    """Return the objects; where the tagger, which knows breeds, is sure of cat or dog, it decides.

    Args:
        objects: as the detector found them.
        shares: probability of each family of animals.
    """
    sure = [pet for pet in _PETS if shares.get(pet, 0.0) >= _SURE_OF_PET]
    return [
        thing.model_copy(update={"object": sure[0]})
        if sure and thing.object in _PETS and thing.object != sure[0]
        else thing
        for thing in objects
    ]


def merged_tags(objects: Sequence[FoundObject], tags: Sequence[Tag]) -> list[Tag]:
    """Return each name once: located objects first, then tags of the whole photo."""
    located: dict[str, float] = {}
    for thing in objects:
        located[thing.object] = max(located.get(thing.object, 0.0), thing.confidence)
    tagged = {tag.name: tag.confidence for tag in tags}
    merged = [
        Tag(name=name, confidence=max(score, tagged.get(name, 0.0)))
        for name, score in sorted(located.items(), key=lambda item: -item[1])
    ]
    return merged + [tag for tag in tags if tag.name not in located]


def people_category(people: Sequence[FoundObject], photo: Photo) -> list[Category]:
    """Return Azure's category for the people in a photo."""
    if not people:
        return []
    score = max(person.confidence for person in people)
    if len(people) >= _GROUP:
        return [Category(name="people_group", score=score)]
    largest = max(person.rectangle.w * person.rectangle.h for person in people)
    portrait = len(people) == 1 and largest >= _PORTRAIT_SHARE * photo.width * photo.height
    return [Category(name="people_portrait" if portrait else "people_", score=score)]


def describe(objects: Sequence[FoundObject], tags: Sequence[Tag]) -> Description:
    """Return a sentence that lists objects or the best tag; no model writes captions here."""
    counts = Counter(thing.object for thing in objects)
    parts = [_counted(name, number) for name, number in counts.most_common(3)]
    words = [tag.name for tag in tags]
    confidence = min((thing.confidence for thing in objects), default=0.0)
    if not parts and tags:
        parts, confidence = [_counted(tags[0].name, 1)], tags[0].confidence
    if not parts:
        return Description(tags=words)
    text = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return Description(tags=words, captions=[Caption(text=text, confidence=confidence)])


def _counted(name: str, number: int) -> str:
    if name in _UNCOUNTED:
        return name
    if number == 1:
        return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
    plural: dict[str, str] = {"person": "people", "knife": "knives", "sheep": "sheep"}
    ending = "es" if name.endswith(("s", "x", "ch", "sh")) else "s"
    return f"{number} {plural.get(name, name + ending)}"
