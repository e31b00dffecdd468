"""Health checks that the API, the pages and `imaginem doctor` share.

A check is a name and a callable that raises an error if something is wrong. The command line
adds the checks of the machine, such as those of weights and Node.js.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from imaginem.errors import ImaginemError
from imaginem.ports import DashboardServices, EngineKind, PoisonFilter, Probed, Remains
from imaginem.redaction import one_line
from imaginem.usecases.erasables import still_on_disk
from imaginem.usecases.poison import MOST_COUNTED

_PARALLEL = 8  # queues that are counted at a time
_LONGEST = 2000  # characters of a problem; long, since what to do about it comes last
_BLOB_PREFIX = "doctor"  # matches nothing: the check is whether storage answers


@dataclass(frozen=True)
class Check:
    """A check; `look` raises an error if something is wrong, its return value is not used."""

    name: str
    look: Callable[[], object]


@dataclass(frozen=True)
class Finding:
    """A check's result.

    Attributes:
        name: of the check.
        problem: empty if all is well.
        note: what to know although all is well.
    """

    name: str
    problem: str = ""
    note: str = ""


@dataclass(frozen=True)
class Operations:
    """What runs, and its health.

    Attributes:
        queues: about how many messages wait on each; None for a queue that does not exist, or
            that could not be counted.
        engines: names of engines and models by what they do.
        engine_notes: what to know of them, such as the end of their service, by what they do.
        findings: of `queues`, `tables`, `blobs`, `database` and `engines`.
        poisoned: how many messages could not be processed; counting ends at `MOST_COUNTED`.
        remains: what to do about erased data that is still on this machine's disk; empty if none.
    """

    queues: Mapping[str, int | None]
    engines: Mapping[str, str]
    engine_notes: Mapping[str, str]
    findings: Sequence[Finding]
    poisoned: int
    remains: str = ""


def examine(checks: Iterable[Check]) -> list[Finding]:
    """Run all checks, in order; after a problem the others run nevertheless."""
    return [Finding(check.name, _problem(check.look)) for check in checks]


def _problem(look: Callable[[], object]) -> str:
    try:
        look()
    except ImaginemError as problem:
        return one_line(str(problem), _LONGEST)
    except (ImportError, OSError, ValueError) as problem:  # a package or file is missing
        return one_line(f"{type(problem).__name__}: {problem}", _LONGEST)
    return ""


@dataclass
class ServiceChecks:
    """The checks of every installation; they keep what they read for the page to show.

    Attributes:
        services: to check.
        queue_names: queues whose messages are counted; if empty, queues are not checked.
        queues, poisoned: as of `Operations`, as far as they could be read.
    """

    services: DashboardServices
    queue_names: Sequence[str]
    queues: dict[str, int | None] = field(default_factory=dict)
    poisoned: int = 0

    def checks(self) -> list[Check]:
        """Return the checks: `queues`, `tables`, `blobs` and `database`."""
        return [
            Check("queues", self._count_queues),
            Check("tables", self._count_poisoned),
            Check("blobs", self._list_blobs),
            Check("database", lambda: self.services.batches.batches(None, limit=1)),
        ]

    def _count_queues(self) -> None:
        with ThreadPoolExecutor(_PARALLEL) as pool:
            counts = pool.map(self.services.queues.count, self.queue_names)
            self.queues.update(zip(self.queue_names, counts, strict=True))

    def _count_poisoned(self) -> None:
        self.poisoned = self.services.poison.count(PoisonFilter(), MOST_COUNTED)

    def _list_blobs(self) -> None:
        container = self.services.core_settings.input_container
        self.services.blobs.list(container, _BLOB_PREFIX)


def engine_checks(services: DashboardServices) -> list[Check]:
    """Return a check for each engine; it makes the engine, which is too slow for a request.

    An engine that can look whether its server answers does so.
    """
    return [
        Check(name, partial(_probe, services, kind)) for name, kind in services.engine_kinds.items()
    ]


def _probe(services: DashboardServices, kind: EngineKind[Any]) -> None:
    engine = services.engine(kind)
    if isinstance(engine, Probed):
        engine.probe()


def operations_of(services: DashboardServices, steps: Iterable[str]) -> Operations:
    """Return what runs, and its health, without loading an engine.

    Args:
        services: to check.
        steps: names of the registered steps; each has a queue and a poison queue.
    """
    queue_names = [queue for step in steps for queue in (step, f"{step}-poison")]
    service_checks = ServiceChecks(services, queue_names)
    engines: dict[str, str] = {}
    names = Check("engines", lambda: engines.update(services.engine_names))
    findings = examine([*service_checks.checks(), names])
    return Operations(
        queues={queue: service_checks.queues.get(queue) for queue in queue_names},
        engines=engines,
        engine_notes=services.engine_notes,
        findings=findings,
        poisoned=service_checks.poisoned,
        remains=" ".join(finding.note for finding in what_remains(services.remains)),
    )


def what_remains(remains: Remains) -> list[Finding]:
    """Return a finding if something that was erased still waits to leave this machine's disk."""
    text = still_on_disk(remains)
    return [Finding("erased data", note=f"Something was erased. {text}")] if text else []
