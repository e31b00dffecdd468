"""Runs the maintenance jobs, which a timer starts every few minutes."""

import logging
from collections.abc import Sequence

from imaginem.errors import ImaginemError
from imaginem.ports import MaintenanceJob, Telemetry
from imaginem.redaction import one_line

_logger = logging.getLogger("imaginem.maintenance")


def run_maintenance(jobs: Sequence[MaintenanceJob], telemetry: Telemetry) -> None:
    """Run all jobs; one that fails doesn't stop the others.

    Raises:
        Exception: the first job's that failed, once all have run, so that the host sees it too.
    """
    problems: list[Exception] = []
    for job in jobs:
        outcome = "ok"
        with telemetry.span("maintenance", job=job.name) as span:
            try:
                job.run()
            except Exception as problem:
                outcome = "failed"
                span.fail(type(problem).__name__)
                _logger.error(
                    "maintenance job %s failed: %s",
                    job.name,
                    one_line(f"{type(problem).__name__}: {problem}"),
                    exc_info=not isinstance(problem, ImaginemError),  # a defect: say where
                )
                problems.append(problem)
            else:
                _logger.info("maintenance job %s is done", job.name)
        telemetry.count("imaginem.maintenance", job=job.name, outcome=outcome)
    if problems:
        raise problems[0]
