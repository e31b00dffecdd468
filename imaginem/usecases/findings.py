"""What is told of each part of a photo: that it was found, that it is not there, or why not known.

Pages, API, command line and exports tell it in the same words.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from imaginem.ports import JobResult
from imaginem.ports.erasing import ERASED_FACES
from imaginem.ports.searchable import unread_text
from imaginem.ports.seen_words import words_seen
from imaginem.usecases.jobs import JobView
from imaginem.usecases.looked import Look, look_in_result, look_of, parts_left_out
from imaginem.usecases.looked_words import WORDS

FOUND = "found"


@dataclass(frozen=True)
class Finding:
    """What is told of a part of a photo.

    Attributes:
        how: `found`; `nothing`, `no_face`, `erased`, `nothing_to_compare`, `not_compared` and
            `nobody` if it was looked for in vain; `nobody_comparable` if so, but other faces of the
            gallery were not compared; `not_read` for text that can't be read; else one
            of `Looked`, or `unreadable` or `unsought` if an output does not tell.
        step: that looks for it.
        reason: why the step failed or was skipped, if that is known.
    """

    how: str
    step: str
    reason: str = ""

    @property
    def told(self) -> str:
        """The sentence for it."""
        return WORDS[f"looked.{self.how}"].format(step=self.step, reason=self.reason).strip()


def findings_of(job: JobView) -> dict[str, Finding]:
    """Return what is told of `tags`, `text`, `faces` and `matches` of a job."""
    look_at = partial(look_of, job)
    return _findings(
        job.outputs or {}, look_at, has_matches=bool(job.matches), other_models=job.other_models
    )


def findings_in(result: JobResult, *, has_matches: bool, other_models: bool) -> dict[str, Finding]:
    """Return the same by a job's result alone.

    Args:
        result: of the job.
        has_matches: whether there are faces that look like the job's.
        other_models: whether the gallery has faces that could not be compared with them.
    """
    look_at = partial(look_in_result, result)
    return _findings(result.job_output, look_at, has_matches=has_matches, other_models=other_models)


def _findings(
    outputs: Mapping[str, Any],
    look_at: Callable[[str], Look],
    *,
    has_matches: bool,
    other_models: bool,
) -> dict[str, Finding]:
    def told(step: str, found: str) -> Finding:
        look = look_at(step)
        return Finding(found if look.is_done else look.how, look.step, look.reason)

    matches = told("facematch", _matches(outputs, other_models))
    return {
        "tags": told("generalclassification", _tags(outputs)),
        "text": told("ocr", _text(outputs)),
        "faces": told("facedetection", _faces(outputs)),
        "matches": Finding(FOUND, "facematch") if has_matches else matches,
    }


def _part(outputs: Mapping[str, Any], step: str) -> Mapping[str, Any]:
    output = outputs.get(step)
    return output if isinstance(output, dict) else {}


def _listed(output: Mapping[str, Any], name: str, kind: type) -> str:
    value = output.get(name)
    if not isinstance(value, kind):
        return "unreadable"
    return FOUND if value else "nothing"


def _tags(outputs: Mapping[str, Any]) -> str:
    output = _part(outputs, "generalclassification")
    found = _listed({"tags": [], **output}, "tags", list)  # an engine may leave parts out
    if found == "nothing" and words_seen(outputs):
        return FOUND
    return "unsought" if found != FOUND and "tags" in parts_left_out(output) else found


def _text(outputs: Mapping[str, Any]) -> str:
    found = _listed(_part(outputs, "ocr"), "full_text", str)
    return "not_read" if found == "nothing" and unread_text(outputs) else found


def _faces(outputs: Mapping[str, Any]) -> str:
    detected = _part(outputs, "facedetection")
    found = _listed(detected, "faces", list)
    if found != "nothing":
        return found
    return "erased" if detected.get(ERASED_FACES) else "no_face"


def _matches(outputs: Mapping[str, Any], other_models: bool) -> str:
    """Return what is told where nobody was found to look like a photo's faces."""
    detected, compared = _part(outputs, "facedetection"), _part(outputs, "faceprint")
    if detected.get("faces") == []:
        return "nothing_to_compare"
    if compared.get("faces") == []:
        return "not_compared"
    return "nobody_comparable" if other_models else "nobody"
