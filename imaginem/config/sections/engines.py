"""Which engines look at photos, and how alike two faces must be."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BeforeValidator, Field, StringConstraints, create_model

from imaginem.config.declare import Expected, Section, setting
from imaginem.config.engine_table import ENGINE_TABLE, EngineTable
from imaginem.config.ocr_languages import CODES
from imaginem.config.value_types import (
    Count,
    File,
    Folder,
    OcrLanguages,
    PhotosInGrid,
    Seconds,
    Share,
    one_of,
)
from imaginem.errors import ConfigurationError
from imaginem.ports import FACES, ONE_PHOTO, RECOGNIZER

S = TypeVar("S", bound="EngineSettings")
Above = dict[str, Any]
"""The values of the fields above one whose default is made."""
# Where a deployment package has the weights of the local engine, if it has any.
_PACKAGED_WEIGHTS = Path(__file__).resolve().parents[3] / "weights"


def _words(name: str, table: EngineTable = ENGINE_TABLE) -> StringConstraints:
    return one_of(table.allowed()[name])


def _expected(name: str, table: EngineTable = ENGINE_TABLE) -> Expected:
    return Expected(" or ".join(table.allowed()[name]))


OcrProvider = Annotated[str, _words("OCR_ENGINE"), _expected("OCR_ENGINE")]
VisionProvider = Annotated[str, _words("VISION_ENGINE"), _expected("VISION_ENGINE")]
FaceProvider = Annotated[str, _words("FACE_ENGINE"), _expected("FACE_ENGINE")]
QuestionProvider = Annotated[str, _words("QUESTION_ENGINE"), _expected("QUESTION_ENGINE")]
PrintProvider = Annotated[str, _words("FACE_PRINT_ENGINE"), _expected("FACE_PRINT_ENGINE")]
LocalRuntime = Annotated[
    Literal["auto", "onnxruntime", "openvino"],
    BeforeValidator(str.lower),
    Expected("auto, onnxruntime or openvino"),
]
ModelFile = Annotated[File, Expected("the path of a model's JSON file")]


def _usual_assets() -> Path:
    if _PACKAGED_WEIGHTS.is_dir():
        return _PACKAGED_WEIGHTS
    return Path("~/.cache/imaginem").expanduser()


def _usual_provider(name: str, table: EngineTable = ENGINE_TABLE) -> Callable[[Above], str]:
    """Return what makes the default of a setting that chooses a provider."""
    return lambda above: table.usual(name, {field.upper(): v for field, v in above.items()})


def _usual_match(table: EngineTable = ENGINE_TABLE) -> Callable[[Above], float]:
    """Return what makes the recognizer's own threshold of a match."""

    def usual(above: Above) -> float:
        recognizer = table.row(RECOGNIZER).provider(above["face_print_engine"])
        return recognizer.defaults["FACE_MATCH_THRESHOLD"]

    return usual


def _usual_possible(table: EngineTable = ENGINE_TABLE) -> Callable[[Above], float]:
    """Return what makes the recognizer's own threshold, but none above that of a match."""

    def usual(above: Above) -> float:
        match: float = above["match_threshold"]
        recognizer = table.row(RECOGNIZER).provider(above["face_print_engine"])
        return min(recognizer.defaults["FACE_POSSIBLE_THRESHOLD"], match)

    return usual


class EngineSettings(Section):
    """Engines, their models, and the thresholds of a match.

    Attributes:
        engine_table: kinds of engines, and the providers that the settings choose from.
    """

    engine_table: ClassVar[EngineTable] = ENGINE_TABLE

    vision_engine: VisionProvider = setting(
        "VISION_ENGINE",
        "local",
        "`local`, `azure`, `contentunderstanding` or `openai`: the engine of generalclassification",
    )
    ocr_engine: OcrProvider = setting(
        "OCR_ENGINE",
        _usual_provider("OCR_ENGINE"),
        "`local`, `azure`, `documentintelligence` or `openai`: the engine of ocr",
        usual="as `VISION_ENGINE`; with `contentunderstanding` `documentintelligence`",
    )
    face_engine: FaceProvider = setting(
        "FACE_ENGINE", "local", "`local` or `azure`: the engine of facedetection"
    )
    face_print_engine: PrintProvider = setting(
        "FACE_PRINT_ENGINE",
        _usual_provider("FACE_PRINT_ENGINE"),
        "`local` or `azure`: the engine of faceprint and facematch",
        usual="as `FACE_ENGINE`",
    )
    face_grid: PhotosInGrid = setting(
        "FACE_GRID",
        ONE_PHOTO,
        "`off`, or columns x rows of photos that `FACE_ENGINE=azure` looks at in one call, 1 to 4 "
        "each: `3x3` for portraits, `2x2` where people stand further away; it saves calls and "
        "[loses small faces](engines.md#several-photos-in-one-call)",
        usual="`off`",
    )
    face_grid_seconds: Seconds = setting(
        "FACE_GRID_SECONDS",
        30.0,
        "how long a photo waits for others to fill that grid, at most",
        not_on_azure="its default serves",
    )
    question_engine: QuestionProvider = setting(
        "QUESTION_ENGINE",
        _usual_provider("QUESTION_ENGINE"),
        "`none` or `openai`: the engine of steps that [ask about a photo](engines.md#questions)",
        usual="`openai` with `VISION_ENGINE=openai`, else `none`",
        not_on_azure="follows VISION_ENGINE",
    )
    match_threshold: Share = setting(
        "FACE_MATCH_THRESHOLD",
        _usual_match(),
        "confidence from which two faces are a `match`",
        usual="0.45 locally, 0.5 on Azure Face",
    )
    possible_threshold: Share = setting(
        "FACE_POSSIBLE_THRESHOLD",
        _usual_possible(),
        "confidence from which two faces are a `possible` match",
        usual="0.37 locally, 0.4 on Azure Face",
    )
    match_limit: Count = setting(
        "FACE_MATCH_LIMIT",
        20,
        "files in each group of batches of which a face's matches are kept, at most; pages of one "
        "and copies of it count as one",
        not_on_azure="its default serves",
    )
    face_model: ModelFile = setting(
        "FACE_MODEL",
        None,
        "a JSON file that describes another face model",
        usual="the built-in model",
        not_on_azure="a file of a package with the local engine",
    )
    local_runtime: LocalRuntime = setting(
        "LOCAL_RUNTIME",
        "auto",
        "`auto`, `onnxruntime` or `openvino`: what runs the networks of the local engine; `auto` "
        "chooses for each by what was measured on processors like this one",
        not_on_azure="its default serves",
    )
    ocr_languages: OcrLanguages = setting(
        "OCR_LANGUAGES",
        CODES,
        "languages that the local engine reads besides those in Latin, Chinese and Japanese "
        "letters, which it always reads: codes with commas between, or `none`; "
        "[their data](models.md#scripts) is fetched by `imaginem assets fetch`",
        usual=f"`{','.join(CODES)}`",
        not_on_azure="a setting of the local engine; its default serves",
    )
    assets: Folder = setting(
        "IMAGINEM_ASSETS",
        _usual_assets,
        "folder of weights and sample photos",
        usual="`~/.cache/imaginem`",
        not_on_azure="the package says where its weights are",
    )

    def chosen_providers(self) -> dict[str, str]:
        """Return the provider that is chosen for each kind, by the name that users see."""
        providers = self.engine_table.providers(self.engine_choices)
        return {row.shown_as: provider.name for row, provider in providers}

    @property
    def engine_choices(self) -> dict[str, str]:
        """The provider that each setting of the table chooses.

        Raises:
            ConfigurationError: the table names a setting that is not declared.
        """
        names = self.engine_table.allowed()
        for name in names:
            if name.lower() not in type(self).model_fields:
                raise ConfigurationError(
                    f"the table of engines names {name}, but there is no such setting: declare "
                    f"{name} in imaginem/config/sections/engines.py"
                )
        return {name: getattr(self, name.lower()) for name in names}


def for_engines(section: type[S], table: EngineTable) -> type[S]:
    """Return a section whose settings choose from another table of engines.

    A setting of the table that the section does not declare is added.
    """
    fields: dict[str, Any] = {
        name.lower(): (
            Annotated[str, _words(name, table), _expected(name, table)],
            Field(default_factory=_usual_provider(name, table), validation_alias=name),
        )
        for name in table.allowed()
    }
    for name, usual in {
        "FACE_MATCH_THRESHOLD": _usual_match(table),
        "FACE_POSSIBLE_THRESHOLD": _usual_possible(table),
    }.items():
        field = name.removeprefix("FACE_").lower()
        fields[field] = (Share, Field(default_factory=usual, validation_alias=name))
    made = create_model(section.__name__, __base__=section, **fields)
    made.engine_table = table
    return made


def threshold_problems(settings: EngineSettings) -> list[str]:
    """Return what is wrong with the order of the thresholds."""
    match, possible = settings.match_threshold, settings.possible_threshold
    if possible <= match:
        return []
    return [
        f"FACE_POSSIBLE_THRESHOLD ({possible}) is above FACE_MATCH_THRESHOLD ({match}): lower it"
    ]


def grid_problems(settings: EngineSettings) -> list[str]:
    """Return what is wrong with a grid of photos: only some engines can look at one."""
    chosen = settings.chosen_providers()[settings.engine_table.row(FACES).shown_as]
    if settings.face_grid == ONE_PHOTO or chosen == "azure":
        return []
    return [
        f"FACE_GRID is '{settings.face_grid}', but FACE_ENGINE is {chosen!r}, which looks at one "
        "photo a time: set FACE_GRID=off, or FACE_ENGINE=azure"
    ]
