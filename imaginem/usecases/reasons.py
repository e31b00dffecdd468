"""Reasons as people read them: the log has each with the class of its error in front."""

import re

_CLASS = r"(?:[A-Z][a-z0-9]+){2,}|[A-Z]\w*Error|Busy|Conflict"
_BEFORE = re.compile(rf"(?:{_CLASS}): (?=\S)")
_TRIES = re.compile(rf"(?:{_CLASS})(?: \(.*\))?")
_DEFECT = ": a defect in the step"


def told(reason: str) -> str:
    """Return a step's reason without the class of its error, which tells people nothing.

    Of a defect the class is all that is known, so it stays, behind what it is.
    """
    found = _BEFORE.match(reason)
    if found is None:
        return f"a defect in the step: {reason}" if _TRIES.fullmatch(reason) else reason
    name, defect, more = reason.partition(_DEFECT)
    if defect and name.isidentifier():
        return f"a defect in the step: {name}{more}"
    return reason[found.end() :]
