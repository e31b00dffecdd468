"""Makes a step of a model card: `imaginem new-step NAME --model CARD`."""

import re
import shutil
from pathlib import Path

from imaginem.assets import AssetStore
from imaginem.assets.store import sha256_of
from imaginem.cli.shared import err, make_runtime, out
from imaginem.cli.weights import fetch_with_bars_of
from imaginem.errors import ConfigurationError, ImaginemError
from imaginem.images.decoding import Photo, decode_photo
from imaginem.ports.card_reading import read_card
from imaginem.ports.model_card import ClassifierCard, DetectorCard
from imaginem.runtime import Runtime

_TEMPLATE = Path(__file__).with_name("templates") / "card_step.py.txt"
_SAMPLE = "coffee.png"
"""What a model is tried on unless a photo is named: nobody is on it."""
_RESTRICTED = re.compile(r"\b(A?GPL|CC.BY.NC|NC|non.?commercial|research|unknown|other)\b", re.I)


def add_card_step(app: Path, name: str, card_path: Path, photo_path: Path | None) -> None:
    """Fetch a card's model, check both against each other, try them, and write the step.

    Args:
        app: the app's folder.
        name: of the step; no file of that name is there yet.
        card_path: the model card.
        photo_path: what to try it on; a sample by default.

    Raises:
        ConfigurationError: the card is wrong, its model is another one than it says, or a file of
            another step would be overwritten.
    """
    card = read_card(card_path)
    target = app / "steps" / f"{name}.json"
    if target.exists() and target.resolve() != card_path.resolve():
        raise ConfigurationError(f"{target} exists already")
    copies = _copies(card, card_path.resolve().parent, target.parent)
    runtime = make_runtime(app)
    photo, of = photo_to_try(AssetStore(runtime.settings.assets), photo_path)
    fetch_with_bars_of(runtime, [(name, weights) for weights in card.weights], err)
    _check(runtime, name, card, card_path)
    found = _found(runtime, name, card, photo)
    for source, copy in copies.items():
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
    if target.resolve() != card_path.resolve():
        shutil.copyfile(card_path, target)
    step_file = app / "steps" / f"{name}.py"
    step_file.write_text(_code(name, card), "utf-8")
    _print_written(card, name, (target, step_file), f"{of}: {found}")


def _check(
    runtime: Runtime, name: str, card: ClassifierCard | DetectorCard, card_path: Path
) -> None:
    runtime.models.network(name, card.model)  # says what is missing, such as onnxruntime
    from imaginem.engines.onnx.checking import check_card

    network, labels = runtime.models.ready(name, card)
    try:
        check_card(card, network, labels)
    except ConfigurationError as problem:
        raise ConfigurationError(f"{card_path.name} and its model differ: {problem}") from None


def photo_to_try(store: AssetStore, path: Path | None) -> tuple[Photo, str]:
    """Return the photo to try a model on, and what to call it.

    Args:
        store: has the sample photos.
        path: of a photo; or the name of a sample, where there is no such file. A sample if None.

    Raises:
        ConfigurationError: there is no such photo, or the samples were not fetched.
    """
    if path is None:
        try:
            return decode_photo(store.path(_SAMPLE).read_bytes()), _SAMPLE
        except ImaginemError:  # the samples were not fetched
            from imaginem.testing import photo_bytes

            return decode_photo(photo_bytes(640, 480)), "a plain picture"
    samples = [asset.name for asset in store.manifest.of_kind("sample")]
    if not path.exists() and str(path) in samples:
        return decode_photo(store.path(str(path)).read_bytes()), str(path)
    if not path.is_file():
        raise ConfigurationError(f"--photo: there is no file {path}: give the path of a photo")
    return decode_photo(path.read_bytes()), path.name


def _found(runtime: Runtime, name: str, card: ClassifierCard | DetectorCard, photo: Photo) -> str:
    """Return what the model says of a photo, for people."""
    if isinstance(card, ClassifierCard):
        tags = runtime.models.tags(name, card, photo)
        told = [f"{tag.name} {tag.confidence:.2f}" for tag in tags]
    else:
        objects = runtime.models.objects(name, card, photo)
        told = [
            f"{each.name} {each.confidence:.2f} at {box.x},{box.y} ({box.w} x {box.h})"
            for each in objects
            for box in (each.rectangle,)
        ]
    return ", ".join(told) or f"nothing of which it is sure by {card.threshold:g} or more"


def _copies(card: ClassifierCard | DetectorCard, folder: Path, steps: Path) -> dict[Path, Path]:
    """Return which files of the card's folder belong where in the steps' folder.

    Raises:
        ConfigurationError: one lies elsewhere, or another file is in its place.
    """
    copies = {}
    for weights in (each for each in card.weights if each.file):
        source = Path(weights.file).resolve()
        if not source.is_relative_to(folder):
            raise ConfigurationError(f"{source} must lie beside the card, in {folder}")
        target = steps.resolve() / source.relative_to(folder)
        if target.exists() and sha256_of(target) != weights.sha256:
            raise ConfigurationError(f"{target} is there already, and another file: rename yours")
        if not target.exists():
            copies[source] = target
    return copies


def licence_note(licence: str) -> str:
    """Return what to say of a licence that may forbid a use; empty for others."""
    if not _RESTRICTED.search(licence):
        return ""
    return f"note: the licence is {licence}: docs/own-models.md says what that can mean"


def _code(name: str, card: ClassifierCard | DetectorCard) -> str:
    does = "says what is in a photo" if card.kind == "classifier" else "finds things in a photo"
    summary = f"{card.name} {does}".replace('"', "'").replace("\\", "/")
    text = _TEMPLATE.read_text("utf-8").replace("SUMMARY", summary)
    return text.replace("KIND", card.kind).replace("STEPNAME", name)


def _print_written(
    card: ClassifierCard | DetectorCard, name: str, files: tuple[Path, ...], tried: str
) -> None:
    out.print(f"tried on {tried}", markup=False, highlight=False, soft_wrap=True)
    for file in files:
        out.print(f"wrote {file}", highlight=False, soft_wrap=True)
    if note := licence_note(card.licence):
        out.print(note, markup=False, highlight=False, soft_wrap=True)
    out.print(f"try it: imaginem submit PHOTO --pipeline {name},pipelineoutput --wait")
