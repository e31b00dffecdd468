"""What photos are searched by: the labels and the text in their outputs, and their names.

All adapters use these functions, so that a search gives the same results everywhere.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from imaginem.ports.own_outputs.index import IndexedOutputs
from imaginem.ports.seen_words import words_seen
from imaginem.redaction import redact_shown

FACE_STEP = "facedetection"
"""The step that looks for faces. A result lists it in its pipeline, and where it was in vain."""
UNREADABLE = "unreadable"
"""Kind of the labels that say what text is in a photo and can't be read."""
TAGS_SHOWN = 3
"""Tags of a photo in a list: those of the highest confidence."""
_NAME_LIMIT = 200  # characters of a label that are kept; the column has no more
_LABELS = (
    ("tag", "tags", "name", "confidence"),
    ("category", "categories", "name", "score"),
    ("object", "objects", "object", "confidence"),
)


def labels_in(
    outputs: Mapping[str, Any], own: IndexedOutputs | None = None
) -> dict[tuple[str, str], float]:
    """Return the photo's labels by kind and name, each with its best confidence.

    Args:
        outputs: by step.
        own: what is found by of own steps' outputs; their tags are the photo's.
    """
    best: dict[tuple[str, str], float] = {}
    for kind, field, name_field, score_field in _LABELS:
        for item in _items(outputs, "generalclassification", field):
            name, score = item.get(name_field), item.get(score_field)
            if isinstance(name, str) and name and isinstance(score, int | float):
                label = (kind, _kept(name))
                best[label] = max(best.get(label, 0.0), float(score))
    best |= {(UNREADABLE, _kept(told)): 1.0 for told in unread_text(outputs)}
    for word, confidence in (*words_seen(outputs).items(), *(own.tags if own else {}).items()):
        best["tag", word] = max(best.get(("tag", word), 0.0), confidence)
    return best


def _kept(name: str) -> str:
    return name.replace("\0", "")[:_NAME_LIMIT]


def unread_text(outputs: Mapping[str, Any]) -> list[str]:
    """Return what is said of text that was seen and can't be read, each sentence once."""
    told = [line.get("unreadable") for line in _items(outputs, "ocr", "lines")]
    return list(dict.fromkeys(each for each in told if isinstance(each, str) and each))


def text_in(outputs: Mapping[str, Any]) -> str:
    """Return the text that was read in the photo, in small letters (`str.casefold`)."""
    text = str(_field(outputs, "ocr", "full_text") or "")
    return text.replace("\0", "").casefold()  # no text of PostgreSQL has NUL


def searched_text(outputs: Mapping[str, Any], own: IndexedOutputs) -> str:
    """Return all text that a photo is searched by: read in it, or said by own steps."""
    return "\n".join(filter(None, (text_in(outputs), own.text.casefold())))


def count_faces(outputs: Mapping[str, Any]) -> int:
    """Return how many faces were found in the photo."""
    return len(_items(outputs, FACE_STEP, "faces"))


def has_faces(
    outputs: Mapping[str, Any], pipeline: Sequence[str], unsuccessful: Sequence[str]
) -> bool | None:
    """Tell whether a photo has faces; None where nobody has looked for them."""
    if count_faces(outputs):
        return True
    return False if FACE_STEP in pipeline and FACE_STEP not in unsuccessful else None


def name_of(image_parameters: Any, otherwise: str) -> str:
    """Return the file name that a photo's sender gave, without secrets, or `otherwise`."""
    if not isinstance(image_parameters, dict):
        return otherwise
    name = image_parameters.get("original_name")
    return redact_shown(name) if isinstance(name, str) and name else otherwise


def _field(outputs: Mapping[str, Any], step: str, name: str) -> Any:
    """Return a field of a step's output; outputs may be pre-filled with anything."""
    output = outputs.get(step)
    return output.get(name) if isinstance(output, dict) else None


def _items(outputs: Mapping[str, Any], step: str, name: str) -> list[dict[str, Any]]:
    """Return the objects in a field that is a list."""
    value = _field(outputs, step, name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
