"""What is in a photo, by Azure Computer Vision 3.2."""

import io
from typing import Any

from imaginem.config.settings import Settings
from imaginem.engines.azure.accounts import vision_account
from imaginem.engines.azure.calls import Service
from imaginem.engines.azure.limits import ANALYZE
from imaginem.engines.azure.payload import Payload, payload
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
    PhotoMetadata,
    Tag,
)
from imaginem.ports import CallContext, VisionEngine

FEATURES = ("Categories", "Tags", "Description", "Objects", "Color", "Adult", "ImageType")
"""What is asked for, each billed as a call. `Faces` is not: its age and gender are retired."""


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
            answer = self._client.analyze_image_in_stream(
                io.BytesIO(sent.data), visual_features=list(FEATURES), language="en"
            )
            if answer is None:
                raise ValueError("an empty answer")
        return ImageAnalysis(
            tags=[Tag(name=tag.name, confidence=tag.confidence) for tag in answer.tags or ()],
            categories=[
                Category(name=category.name, score=category.score)
                for category in answer.categories or ()
            ],
            description=_description(answer.description),
            objects=[_object(thing, sent) for thing in answer.objects or ()],
            color=_colors(answer.color),
            adult=_adult(answer.adult),
            image_type=_image_type(answer.image_type),
            metadata=PhotoMetadata(width=photo.width, height=photo.height, format=photo.format),
        )


def engine_name(settings: Settings) -> str:
    """Return the engine's name."""
    return AzureVision.name


def make_engine(parts: EngineParts) -> VisionEngine:
    """Return the engine of `generalclassification`."""
    return AzureVision(*vision_account(parts))


def _description(description: Any) -> Description:
    if description is None:
        return Description()
    captions = [
        Caption(text=caption.text, confidence=caption.confidence)
        for caption in description.captions or ()
    ]
    return Description(tags=list(description.tags or ()), captions=captions)


def _object(thing: Any, sent: Payload) -> FoundObject:
    where = thing.rectangle
    left, top = round(sent.x(where.x)), round(sent.y(where.y))
    return FoundObject(
        object=thing.object_property,
        confidence=thing.confidence,
        rectangle=Box(
            x=left,
            y=top,
            w=round(sent.x(where.x + where.w)) - left,
            h=round(sent.y(where.y + where.h)) - top,
        ),
    )


def _colors(color: Any) -> Colors:
    if color is None:
        return Colors()
    return Colors(
        dominant_color_foreground=color.dominant_color_foreground or "",
        dominant_color_background=color.dominant_color_background or "",
        dominant_colors=list(color.dominant_colors or ()),
        accent_color=color.accent_color or "",
        is_bw_img=bool(color.is_bw_img),
    )


def _adult(adult: Any) -> Adult:
    if adult is None:
        return Adult()
    return Adult(
        is_adult_content=bool(adult.is_adult_content),
        adult_score=adult.adult_score or 0.0,
        is_racy_content=bool(adult.is_racy_content),
        racy_score=adult.racy_score,
        is_gory_content=adult.is_gory_content,
        gore_score=adult.gore_score,
    )


def _image_type(image_type: Any) -> ImageType:
    if image_type is None:
        return ImageType()
    return ImageType(
        clip_art_type=int(image_type.clip_art_type or 0),
        line_drawing_type=int(image_type.line_drawing_type or 0),
    )
