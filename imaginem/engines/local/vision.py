"""The local vision engine: objects, tags, colours and a plain sentence, put together."""

from collections import Counter
from collections.abc import Sequence

from imaginem.assets import AssetStore
from imaginem.engines.local.adult import AdultScorer
from imaginem.engines.local.colors import colors, image_type, thumbnail
from imaginem.engines.local.objects import ObjectDetector
from imaginem.engines.local.tagger import Tagger, families
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

_PETS = ("cat", "dog")
_SURE_OF_PET = 0.6
_TAGS_ON_PORTRAITS = 0.15  # ImageNet has no people, so its guesses on portraits must be sure
_PORTRAIT_SHARE = 0.3
_GROUP = 3


class LocalVision:
    """Says what is in a photo."""

    name = "local-1"

    def __init__(self, store: AssetStore) -> None:
        self._tagger = Tagger(store)
        self._objects = ObjectDetector(store)
        self._adult = AdultScorer(store)

    def analyze(self, photo: Photo) -> ImageAnalysis:
        """Return what is in a photo."""
        rgb = photo.array
        probabilities = self._tagger.probabilities(rgb)
        objects = corrected_pets(self._objects.objects(rgb), families(probabilities))
        people = [found for found in objects if found.object == "person"]
        least = _TAGS_ON_PORTRAITS if people else 0.05
        tags = merged_tags(objects, self._tagger.tags(probabilities, least=least))
        categories = people_category(people, photo) + self._tagger.categories(probabilities)
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


def corrected_pets(objects: Sequence[FoundObject], shares: dict[str, float]) -> list[FoundObject]:
    """Return the objects with cats and dogs told apart by the tagger, which knows breeds."""
    sure = [pet for pet in _PETS if shares.get(pet, 0.0) >= _SURE_OF_PET]
    return [
        found.model_copy(update={"object": sure[0]})
        if sure and found.object in _PETS and found.object != sure[0]
        else found
        for found in objects
    ]


def merged_tags(objects: Sequence[FoundObject], tags: Sequence[Tag]) -> list[Tag]:
    """Return one tag a name: what was located first, then what the whole photo looks like."""
    located: dict[str, float] = {}
    for found in objects:
        located[found.object] = max(located.get(found.object, 0.0), found.confidence)
    seen = {tag.name: tag.confidence for tag in tags}
    merged = [
        Tag(name=name, confidence=max(score, seen.get(name, 0.0)))
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
    """Return a sentence made of what was found; no model writes captions here."""
    counts = Counter(found.object for found in objects)
    parts = [_counted(name, number) for name, number in counts.most_common(3)]
    words = [tag.name for tag in tags]
    confidence = min((found.confidence for found in objects), default=0.0)
    if not parts and tags:
        parts, confidence = [_counted(tags[0].name, 1)], tags[0].confidence
    if not parts:
        return Description(tags=words)
    text = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return Description(tags=words, captions=[Caption(text=text, confidence=confidence)])


def _counted(name: str, number: int) -> str:
    if number == 1:
        return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
    plural: dict[str, str] = {"person": "people", "knife": "knives", "sheep": "sheep"}
    ending = "es" if name.endswith(("s", "x", "ch", "sh")) else "s"
    return f"{number} {plural.get(name, name + ending)}"
