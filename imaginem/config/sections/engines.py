"""Which engines look at photos, and how alike two faces must be."""

from pathlib import Path
from typing import Annotated, Any

from imaginem.config.declare import Expected, Section, setting
from imaginem.config.value_types import Count, File, Folder, Share, one_of

ENGINES = ("local", "azure")
"""The kinds of engines that a setting may name."""
# Confidence differs between them: a cosine locally, a scale of its own on Azure Face.
_THRESHOLDS = {"local": (0.45, 0.37), "azure": (0.5, 0.4)}
# Where a deployment package has the weights of the local engine, if it has any.
_PACKAGED_WEIGHTS = Path(__file__).resolve().parents[3] / "weights"

Engine = Annotated[str, one_of(ENGINES), Expected(" or ".join(ENGINES))]
ModelFile = Annotated[File, Expected("the path of a model's JSON file")]


def _usual_assets() -> Path:
    if _PACKAGED_WEIGHTS.is_dir():
        return _PACKAGED_WEIGHTS
    return Path("~/.cache/imaginem").expanduser()


def _usual_recognizer(above: dict[str, Any]) -> str:
    engine: str = above["face_engine"]
    return engine


def _usual_match(above: dict[str, Any]) -> float:
    match, _ = _THRESHOLDS[above["face_print_engine"]]
    return match


def _usual_possible(above: dict[str, Any]) -> float:
    """Return the engine's own, but never one above the threshold of a match."""
    match: float = above["match_threshold"]
    _, possible = _THRESHOLDS[above["face_print_engine"]]
    return min(possible, match)


class EngineSettings(Section):
    """Engines, their models, and the thresholds of a match."""

    vision_engine: Engine = setting(
        "VISION_ENGINE", "local", "`local` or `azure`: the engine of generalclassification and ocr"
    )
    face_engine: Engine = setting(
        "FACE_ENGINE", "local", "`local` or `azure`: the engine of facedetection"
    )
    face_print_engine: Engine = setting(
        "FACE_PRINT_ENGINE",
        _usual_recognizer,
        "`local` or `azure`: the engine of faceprint and facematch",
        usual="as `FACE_ENGINE`",
    )
    match_threshold: Share = setting(
        "FACE_MATCH_THRESHOLD",
        _usual_match,
        "confidence from which two faces are a `match`",
        usual="0.45 locally, 0.5 on Azure Face",
    )
    possible_threshold: Share = setting(
        "FACE_POSSIBLE_THRESHOLD",
        _usual_possible,
        "confidence from which two faces are a `possible` match",
        usual="0.37 locally, 0.4 on Azure Face",
    )
    match_limit: Count = setting(
        "FACE_MATCH_LIMIT", 20, "matches of a face, at most", not_on_azure="its default serves"
    )
    face_model: ModelFile = setting(
        "FACE_MODEL",
        None,
        "a JSON file that describes another face model",
        usual="the built-in model",
        not_on_azure="a file of a package with the local engine",
    )
    assets: Folder = setting(
        "IMAGINEM_ASSETS",
        _usual_assets,
        "folder of weights and sample photos",
        usual="`~/.cache/imaginem`",
        not_on_azure="the package says where its weights are",
    )

    @property
    def engine_choices(self) -> dict[str, str]:
        """The kind of engine that each setting asks for."""
        return {
            "VISION_ENGINE": self.vision_engine,
            "FACE_ENGINE": self.face_engine,
            "FACE_PRINT_ENGINE": self.face_print_engine,
        }

    @property
    def engines(self) -> set[str]:
        """The kinds of engines in use."""
        return set(self.engine_choices.values())


def threshold_problems(settings: EngineSettings) -> list[str]:
    """Return what is wrong with the order of the thresholds."""
    match, possible = settings.match_threshold, settings.possible_threshold
    if possible <= match:
        return []
    return [
        f"FACE_POSSIBLE_THRESHOLD ({possible}) is above FACE_MATCH_THRESHOLD ({match}): lower it"
    ]
