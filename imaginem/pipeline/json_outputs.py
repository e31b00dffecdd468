"""A step's output as JSON: one rule for what messages, the table and SQL can carry.

An output goes from step to step in memory or through a queue, and into a table and SQL. What only
one of these ways carries would make a job end differently by chance. So each output must come back
from JSON before it counts as found; else its step has failed, and says which field is to blame.
"""

import math
from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json, to_json

from imaginem.errors import PermanentError
from imaginem.outputs import StepOutput
from imaginem.pipeline.offload import LINKED_LIMIT
from imaginem.redaction import one_line

_DEPTH = 100  # readers of JSON stop at 200, and messages, results and exports wrap what they hold
_WRAP = 200 - _DEPTH
_DIGITS = bytes(ord("0") if chr(code).isdigit() else ord(" ") for code in range(128)) + b" " * 128
_LONG_NUMBER = b"0" * 309  # 1.8e308 is the largest that a float holds
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))

_Fault = tuple[str, str]
"""Where, and what is wrong there and what to do."""


def json_of(step: str, found: StepOutput) -> Any:
    """Return a step's output as JSON values, without the fields that are None.

    Args:
        step: its name.
        found: what it returned.

    Raises:
        PermanentError: JSON can't carry it; names the step, the field and what to do.
    """
    try:
        output = found.model_dump(mode="json", exclude_none=True)
        text = to_json(output)
        if len(text) > LINKED_LIMIT:
            raise PermanentError(
                f"the output of {step} takes {len(text)} bytes, and {LINKED_LIMIT} are allowed: "
                "return less, or keep a picture of it with job.save_png"
            )
        if not _may_be_odd(text):
            return output
        from_json(b"[" * _WRAP + text + b"]" * _WRAP, allow_inf_nan=False)
        reason = ""
    except (ValueError, RecursionError) as problem:  # of pydantic, or of a serializer of the step
        output, reason = None, one_line(str(problem), 200)
    place, fault = next(_faults_of(found), ("", ""))
    if not (fault or reason):
        return output  # what looked odd is in a text
    place = place or _field_of(found)
    fault = fault or f"can't be written as JSON ({reason}): return texts, numbers, lists or models"
    raise PermanentError(f"the output of {step}: {place or 'it'} {fault}")


def _may_be_odd(text: bytes) -> bool:
    """Tell whether JSON is to be read and looked through; most outputs are plain, and some large.

    Signs in a text may look like numbers or brackets; none that is odd looks plain.
    """
    if b"NaN" in text or b"Infinity" in text or _LONG_NUMBER in text.translate(_DIGITS):
        return True
    brackets = text.translate(None, delete=_NO_BRACKETS)
    for _ in range(_DEPTH // 2):  # each turn takes away one or two levels
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    return bool(brackets)


def _faults_of(found: StepOutput) -> Iterator[_Fault]:
    try:
        values = found.model_dump(mode="python", exclude_none=True)
    except (ValueError, RecursionError):
        return
    yield from _faults(values, "", 1)


def _faults(value: Any, place: str, depth: int) -> Iterator[_Fault]:
    """Return what is wrong in a value, by its place such as `faces.0.score`."""
    if depth > _DEPTH:
        yield place[:80], f"is nested more than {_DEPTH} deep: return fewer levels"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _faults_of_text(key, f"a key of {place or 'the output'}")
            yield from _faults(item, f"{place}.{key}".lstrip("."), depth + 1)
    elif isinstance(value, list | tuple | set | frozenset):
        for number, item in enumerate(value):
            yield from _faults(item, f"{place}.{number}", depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        yield place, f"is {value}, which JSON does not have: return a number, or None"
    elif isinstance(value, int) and not _fits_a_float(value):
        yield place, "is a whole number above 1.8e308: return it as text"
    elif isinstance(value, bytes | bytearray):
        yield from _faults_of_bytes(bytes(value), place)
    else:
        yield from _faults_of_text(value, place)


def _faults_of_text(value: Any, place: str) -> Iterator[_Fault]:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            yield (
                place,
                "has an unpaired surrogate, which UTF-8 does not have: return "
                'text.encode("utf-8", "replace").decode()',
            )


def _faults_of_bytes(value: bytes, place: str) -> Iterator[_Fault]:
    try:
        value.decode()
    except UnicodeDecodeError:
        yield place, "has bytes that are no text in UTF-8: return them as base64"


def _fits_a_float(value: int) -> bool:
    try:
        float(value)
    except OverflowError:
        return False
    return True


def _field_of(found: StepOutput) -> str:
    """Return the field that can't be written by itself either."""
    for name in type(found).model_fields:
        try:
            to_json(found.model_dump(mode="json", include={name}))
        except (ValueError, RecursionError):
            return name
    return ""
