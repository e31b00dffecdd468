"""What a step writes into SQL of its job, never over the result of a later run.

A late copy of an earlier run's last message looks like any first delivery. So a result names its
run, and SQL keeps one of another run until the job's row has told which of the two is later: that
read is only needed for a job that is run again, or whose message comes late.
"""

import uuid
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from imaginem.errors import StorageUnavailable
from imaginem.names import stored_run
from imaginem.pipeline.fence import Claim, claim_again
from imaginem.ports import JobKey, JobLog, JobResult, ResultOfAnotherRun, Results
from imaginem.redaction import redact_values

_TRIES = 8


class RunResults:
    """The SQL results, as the delivery that has a claim may write them.

    Args:
        results: where they are.
        log: has the row that tells which run is the latest.
        claim: of the delivery.

    Attributes:
        claim: of the delivery, changed when the row had to be read.
    """

    def __init__(self, results: Results, log: JobLog, claim: Claim) -> None:
        self._results, self._log = results, log
        self.claim = claim
        self._saved: JobResult | None = None
        self.holds = results.holds

    def save(self, result: JobResult, *, replaces: str = "") -> None:
        """Write a job's result as that of the delivery's run, without secrets of its sender.

        Raises:
            AlreadyConcluded: the delivery is late.
            JobErased: the run was erased.
        """
        result = replace(result, image_parameters=redact_values(result.image_parameters))
        self._saved = result
        for _ in range(_TRIES):
            named = replace(result, run=stored_run(self.claim.run))
            try:
                return self._results.save(named, replaces=replaces)
            except ResultOfAnotherRun as found:
                self.claim = claim_again(self._log, self.claim)
                replaces = found.run
        raise StorageUnavailable("the job's result keeps changing: it can't be written")

    def begun_anew(self, claim: Claim) -> Claim:
        """Write what was saved under the run that the delivery had to begin; return its claim."""
        self.claim = claim
        if self._saved is not None:
            self.save(self._saved)
        return self.claim

    def drop_faces(self, key: JobKey, face_ids: Collection[uuid.UUID]) -> None:
        """Remove erased faces from the matches in a job's result."""
        self._results.drop_faces(key, face_ids)

    def read(self, key: JobKey) -> JobResult | None:
        """Return a job's result."""
        return self._results.read(key)

    def batch(self, batch_id: str) -> Iterator[JobResult]:
        """Return a batch's results, by job id."""
        return self._results.batch(batch_id)

    def finished(self, batch_id: str) -> list[str]:
        """Return the ids of a batch's jobs that have a result, sorted."""
        return self._results.finished(batch_id)

    def reusable(self, batch_id: str, step: str, made: str) -> Any:
        """Return what a step has made of the same before."""
        return self._results.reusable(batch_id, step, made)

    def erase(self, key: JobKey) -> None:
        """Remove a job's result."""
        self._results.erase(key)

    def erase_runs(self, key: JobKey, runs: Collection[str]) -> None:
        """Remove a job's result of some runs."""
        self._results.erase_runs(key, runs)

    def erase_batch(self, batch_id: str, job_ids: Collection[str]) -> None:
        """Remove results of a batch's jobs."""
        self._results.erase_batch(batch_id, job_ids)
