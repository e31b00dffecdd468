"""Which job a body is of, as far as it tells: what is kept of it must go when the job is erased."""

import json
from typing import Any

from pydantic_core import from_json

from imaginem.errors import InvalidMessage
from imaginem.message import DEFAULT_BATCH, read_json

_ID_SHOWN = 512  # an invalid message may claim an id of any length


def ids_in(body: str | bytes) -> tuple[str, str]:
    """Return batch id and job id as far as a body tells, valid or not; empty where it does not.

    Those of a valid message are what `decode_message` reads.
    """
    try:
        value = read_json(body)
    except InvalidMessage:
        value = _as_far_as_it_goes(body)
    definition = value.get("job_definition") if isinstance(value, dict) else None
    if not isinstance(definition, dict):
        return "", ""
    batch_id, job_id = definition.get("batch_id"), definition.get("id", "")
    return (
        _shown(DEFAULT_BATCH if batch_id is None else batch_id),
        _shown("" if job_id is None else job_id),
    )


def _shown(claimed: object) -> str:
    """Return an id that can be kept: no store takes an unpaired surrogate."""
    return str(claimed)[:_ID_SHOWN].encode("utf-8", "replace").decode()


def _as_far_as_it_goes(body: str | bytes) -> Any:
    """Return what can be read of a body that is no JSON: cut off, with NaN, with something after.

    Such a message is kept as poisoned too, and must be found when its job is erased.
    """
    raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    raw = raw.removeprefix(b"\xef\xbb\xbf").strip()
    try:
        value = from_json(raw, allow_inf_nan=True, allow_partial="trailing-strings")
        return _as_far_as_it_goes(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        pass
    try:
        return json.JSONDecoder().raw_decode(raw.decode("utf-8", "replace"))[0]
    except (ValueError, RecursionError):
        return None
