"""What engines return for a photo, with the field names of Azure Vision and Azure Face.

Steps import it from here; it is defined in `imaginem.ports.outputs`, which says what coordinates,
scores and pages mean.
"""

from imaginem.ports.outputs.analysis import (
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
from imaginem.ports.outputs.base import StepOutput
from imaginem.ports.outputs.faces import (
    Accessory,
    Face,
    FaceAttributes,
    FaceMatch,
    FacePrint,
    HeadPose,
    Point,
    Rectangle,
    name_face,
)
from imaginem.ports.outputs.own_models import (
    ModelObject,
    ModelObjects,
    ModelOutput,
    ModelTag,
    ModelTags,
)
from imaginem.ports.outputs.pages import joined, on_page
from imaginem.ports.outputs.questions import PhotoReply
from imaginem.ports.outputs.shown import Shown
from imaginem.ports.outputs.text import OcrText, TextLine, TextStyle, Word
from imaginem.ports.outputs.turns import Turn

__all__ = [
    "Accessory",
    "Adult",
    "Box",
    "Caption",
    "Category",
    "Colors",
    "Description",
    "Face",
    "FaceAttributes",
    "FaceMatch",
    "FacePrint",
    "FoundObject",
    "HeadPose",
    "ImageAnalysis",
    "ImageType",
    "ModelObject",
    "ModelObjects",
    "ModelOutput",
    "ModelTag",
    "ModelTags",
    "ObjectKind",
    "OcrText",
    "PhotoMetadata",
    "PhotoReply",
    "Point",
    "Rectangle",
    "Shown",
    "StepOutput",
    "Tag",
    "TextLine",
    "TextStyle",
    "Turn",
    "Word",
    "joined",
    "name_face",
    "on_page",
]
