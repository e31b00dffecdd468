"""What is in a photo, with the field names of Azure Vision."""

from pydantic import Field

from imaginem.ports.outputs.base import StepOutput


class Tag(StepOutput):
    """A word for something in the photo; the hint says what kind of thing it means."""

    name: str
    confidence: float
    hint: str | None = None
    page: int | None = None


class Category(StepOutput):
    """One of Azure Vision's categories, such as `outdoor_`, and the sights that it recognizes."""

    name: str
    score: float
    landmarks: list[Tag] | None = None
    page: int | None = None


class Caption(StepOutput):
    """A sentence that describes the photo."""

    text: str
    confidence: float
    page: int | None = None


class Description(StepOutput):
    """Sentences that describe the photo, and their main words."""

    tags: list[str] = Field(default_factory=list)
    captions: list[Caption] = Field(default_factory=list)


class Box(StepOutput):
    """A rectangle: left edge, top edge, width, height."""

    x: int
    y: int
    w: int
    h: int


class ObjectKind(StepOutput):
    """A wider word for an object, such as `animal` for a dog, and a wider one for that."""

    object: str
    confidence: float | None = None
    parent: "ObjectKind | None" = None


class FoundObject(StepOutput):
    """An object, and where it is."""

    object: str
    confidence: float
    rectangle: Box
    parent: ObjectKind | None = None
    page: int | None = None


class Colors(StepOutput):
    """The photo's colours: by Azure's twelve names, and an accent colour as RRGGBB."""

    dominant_color_foreground: str = ""
    dominant_color_background: str = ""
    dominant_colors: list[str] = Field(default_factory=list)
    accent_color: str = ""
    is_bw_img: bool | None = None


class Adult(StepOutput):
    """How likely the photo is to show nudity or violence; None where the engine does not tell."""

    is_adult_content: bool | None = None
    adult_score: float | None = None
    is_racy_content: bool | None = None
    racy_score: float | None = None
    is_gory_content: bool | None = None
    gore_score: float | None = None


class ImageType(StepOutput):
    """Whether it is clip art, from 0 (no) to 3 (good clip art), or a line drawing (0 or 1)."""

    clip_art_type: int | None = None
    line_drawing_type: int | None = None


class PhotoMetadata(StepOutput):
    """Width and height of the upright photo in pixels, and its file format.

    Attributes:
        ends_early: the file lacks its end, so that a part of the photo is missing; None if not.
        pages: how many pages the file has, if it has several.
        unread_pages: numbers of those that can't be decoded; None for none.
    """

    width: int
    height: int
    format: str
    ends_early: bool | None = None
    pages: int | None = None
    unread_pages: list[int] | None = None


class ImageAnalysis(StepOutput):
    """What is in a photo: the fields of Azure Vision's *analyze*.

    Attributes:
        unanswered: parts that were asked for and are missing in the answer: that they are empty
            here does not mean that there is nothing.
        model_version: of the service's model.
        not_looked_for: parts that the engine does not look for: the same holds for them.
    """

    tags: list[Tag] = Field(default_factory=list)
    categories: list[Category] = Field(default_factory=list)
    description: Description = Field(default_factory=Description)
    objects: list[FoundObject] = Field(default_factory=list)
    color: Colors = Field(default_factory=Colors)
    adult: Adult = Field(default_factory=Adult)
    image_type: ImageType = Field(default_factory=ImageType)
    metadata: PhotoMetadata
    unanswered: list[str] | None = None
    model_version: str | None = None
    not_looked_for: list[str] | None = None
