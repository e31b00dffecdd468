"""What is in a photo, by Azure Computer Vision 3.2."""

import io
from typing import Any

from imaginem.config.settings import Settings
from imaginem.engines.azure.accounts import vision_account
from imaginem.engines.azure.calls import Service
from imaginem.engines.azure.limits import ANALYZE
from imaginem.engines.azure.payload import Payload, payload
from imaginem.engines.azure.reading import (
    Fields,
    confidence,
    fields,
    flag,
    named,
    number,
    objects,
    text,
    texts,
)
from imaginem.engines.dignity import dignified
from imaginem.engines.parts import EngineParts
from imaginem.images.decoding import Photo
from imaginem.outputs import (
    Adult,
    Box,
    Caption,
    Category,
    Colors,
    Description,
    FoundObject,
    ImageAnalysis,
    ImageType,
    ObjectKind,
    PhotoMetadata,
    Tag,
)
from imaginem.ports import CallContext, VisionEngine

FEATURES = ("Categories", "Tags", "Description", "Objects", "Color", "Adult", "ImageType")
"""What is asked for, each billed as a call. `Faces` is not: its age and gender are retired."""
_PARTS = {
    "categories": "categories",
    "tags": "tags",
    "description": "description",
    "objects": "objects",
    "color": "color",
    "adult": "adult",
    "imageType": "image_type",
}
"""Where the answer has each feature, and where our output has it."""
_HIGHEST_KIND = 10  # wider words of an object that are kept


class AzureVision:
    """Says what is in a photo.

    Args:
        client: see `make_vision_client`.
        service: of the account.
    """

    name = "azure-vision-3.2"

    def __init__(self, client: Any, service: Service) -> None:
        self._client = client
        self._service = service

    def analyze(self, photo: Photo, call: CallContext) -> ImageAnalysis:
        """Return what is in a photo; rectangles are in the photo's own pixels."""
        sent = payload(photo, ANALYZE)
        with self._service.call("analyze", call, units=len(FEATURES)):
            answer = fields(
                self._client.analyze_image_in_stream(
                    io.BytesIO(sent.data), visual_features=list(FEATURES), language="en"
                )
            )
            unanswered = [ours for key, ours in _PARTS.items() if answer.get(key) is None]
            if len(unanswered) == len(_PARTS):
                raise ValueError("an answer without any of the parts that were asked for")
        found = ImageAnalysis(
            tags=_tags(answer.get("tags")),
            categories=_categories(answer.get("categories")),
            description=_description(fields(answer.get("description"))),
            objects=_objects(answer.get("objects"), sent),
            color=_colors(fields(answer.get("color"))),
            adult=_adult(fields(answer.get("adult"))),
            image_type=_image_type(fields(answer.get("imageType"))),
            metadata=PhotoMetadata(width=photo.width, height=photo.height, format=photo.format),
            unanswered=unanswered or None,
            model_version=text(answer.get("modelVersion")) or None,
        )
        return dignified(found)


def engine_name(settings: Settings) -> str:
    """Return the engine's name."""
    return AzureVision.name


def make_engine(parts: EngineParts) -> VisionEngine:
    """Return the engine of `generalclassification`."""
    return AzureVision(*vision_account(parts))


def _tags(value: object) -> list[Tag]:
    return [
        Tag(
            name=name,
            confidence=confidence(tag.get("confidence")),
            hint=text(tag.get("hint")) or None,
        )
        for tag in objects(value)
        if (name := text(tag.get("name")))
    ]


def _categories(value: object) -> list[Category]:
    """Return the categories. Of their details, celebrities are left out on purpose."""
    return [
        Category(
            name=name,
            score=confidence(category.get("score")),
            landmarks=_tags(fields(category.get("detail")).get("landmarks")) or None,
        )
        for category in objects(value)
        if (name := text(category.get("name")))
    ]


def _description(description: Fields) -> Description:
    captions = [
        Caption(text=told, confidence=confidence(caption.get("confidence")))
        for caption in objects(description.get("captions"))
        if (told := text(caption.get("text")))
    ]
    return Description(tags=texts(description.get("tags")), captions=captions)


def _objects(value: object, sent: Payload) -> list[FoundObject]:
    """Return the objects; one without a name or a whole rectangle is left out."""
    return [
        FoundObject(
            object=name,
            confidence=confidence(thing.get("confidence")),
            rectangle=_box(where, sent),
            parent=_parent(thing),
        )
        for thing in objects(value)
        if (name := text(thing.get("object")))
        and (where := named(thing.get("rectangle"), "x", "y", "w", "h"))
    ]


def _box(where: list[float], sent: Payload) -> Box:
    x, y, width, height = where
    left, top = round(sent.x(x)), round(sent.y(y))
    return Box(x=left, y=top, w=round(sent.x(x + width)) - left, h=round(sent.y(y + height)) - top)


def _parent(thing: Fields) -> ObjectKind | None:
    """Return the wider words for an object, each within the one before."""
    chain: list[Fields] = []
    while (parent := thing.get("parent")) and len(chain) < _HIGHEST_KIND:
        thing = fields(parent)
        chain.append(thing)
    kind = None
    for link in reversed(chain):
        if name := text(link.get("object")):
            kind = ObjectKind(object=name, confidence=number(link.get("confidence")), parent=kind)
    return kind


def _colors(color: Fields) -> Colors:
    black_and_white = color.get("isBWImg", color.get("isBwImg"))  # Microsoft's pages have both
    return Colors(
        dominant_color_foreground=text(color.get("dominantColorForeground")),
        dominant_color_background=text(color.get("dominantColorBackground")),
        dominant_colors=texts(color.get("dominantColors")),
        accent_color=text(color.get("accentColor")),
        is_bw_img=flag(black_and_white),
    )


def _adult(adult: Fields) -> Adult:
    return Adult(
        is_adult_content=flag(adult.get("isAdultContent")),
        adult_score=number(adult.get("adultScore")),
        is_racy_content=flag(adult.get("isRacyContent")),
        racy_score=number(adult.get("racyScore")),
        is_gory_content=flag(adult.get("isGoryContent")),
        gore_score=number(adult.get("goreScore")),
    )


def _image_type(image_type: Fields) -> ImageType:
    return ImageType(
        clip_art_type=_whole(image_type.get("clipArtType")),
        line_drawing_type=_whole(image_type.get("lineDrawingType")),
    )


def _whole(value: object) -> int | None:
    told = number(value)
    return None if told is None else round(told)
