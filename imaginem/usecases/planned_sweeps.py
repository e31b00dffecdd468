"""What the final sweep has to look through once more, noted in entries of the shared state.

They alone name what was erased, until the sweep removes them.
"""

import json
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import TypeAdapter, ValidationError

from imaginem.ports import DashboardServices
from imaginem.usecases.kept_receipts import new_id

_PREFIX = "sweep-"
_TEXT_LIMIT = 12_000
"""Characters of job ids in an entry; a property of a table takes 32,000 with everything else."""


@dataclass(frozen=True)
class PlannedSweep:
    """What is looked through once more.

    Attributes:
        at: when it was erased.
        whole: the whole batch was.
    """

    at: datetime
    batch_id: str
    job_ids: tuple[str, ...]
    whole: bool = False


_ENTRY = TypeAdapter(PlannedSweep)


def plan_sweep(
    services: DashboardServices,
    batch_id: str,
    job_ids: Collection[str],
    *,
    whole: bool = False,
    receipt_id: str = "",
    now: datetime | None = None,
) -> str:
    """Note that jobs are looked through once more; called before they are erased.

    Args:
        services: keep the note.
        batch_id: of the jobs.
        job_ids: those that are erased.
        whole: the whole batch is erased.
        receipt_id: of a plan to which this is added; empty for a new one.
        now: when they are erased.

    Returns:
        The id of the receipt that this makes final.
    """
    made = receipt_id or new_id()
    at = (now or datetime.now(UTC)).astimezone(UTC)
    for portion in _portions(sorted(job_ids)):
        text = _ENTRY.dump_json(PlannedSweep(at, batch_id, tuple(portion), whole)).decode()
        services.shared_state.write(f"{_PREFIX}{made}-{uuid.uuid4().hex[:12]}", text, "")
    return made


def _portions(job_ids: Iterable[str]) -> Iterator[list[str]]:
    portion: list[str] = []
    size = 0
    for job_id in job_ids:
        length = len(json.dumps(job_id))
        if portion and size + length > _TEXT_LIMIT:
            yield portion
            portion, size = [], 0
        portion.append(job_id)
        size += length
    yield portion


Entries = Sequence[tuple[str, PlannedSweep]]
"""Names of entries, and what they say."""


def planned_sweeps(services: DashboardServices) -> dict[str, list[tuple[str, PlannedSweep]]]:
    """Return what is planned by the receipt's id: names of entries, and what they say."""
    found: dict[str, list[tuple[str, PlannedSweep]]] = defaultdict(list)
    for name, (text, _) in sorted(services.shared_state.list(_PREFIX).items()):
        with suppress(ValidationError):  # the table was edited by hand
            planned = _ENTRY.validate_json(text)
            found[name.removeprefix(_PREFIX).partition("-")[0]].append((name, planned))
    return found
