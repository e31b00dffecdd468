"""Work in the background, as the newer services do it: 202, then questions until it is done."""

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from imaginem.ai_emulator.refusals import Refusal


class OperationStore:
    """The operations of one service, worked off one after the other.

    Attributes:
        held: while it is set, operations are at work and none ends.
    """

    def __init__(self) -> None:
        self._begun: dict[str, tuple[datetime, Future[dict[str, Any]]]] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="operations")
        self.held = threading.Event()

    def begin(self, work: Callable[[], dict[str, Any]]) -> str:
        """Begin an operation; return its id.

        Args:
            work: returns the parts of the answer that tell the result; raises `Refusal` if the
                operation fails.
        """
        number = str(uuid.uuid4())
        self._begun[number] = datetime.now(UTC), self._pool.submit(work)
        return number

    def numbers(self) -> list[str]:
        """Return the ids of all operations."""
        return list(self._begun)

    def forget(self) -> None:
        """Drop all operations, as the services do after a day."""
        self._begun.clear()

    def state(self, number: str) -> tuple[datetime, str, dict[str, Any]]:
        """Return when an operation began, its state, and the parts that tell result or error.

        Raises:
            Refusal: there is no such operation.
        """
        if number not in self._begun:
            raise Refusal(404, "NotFound", "Resource not found.", inner="OperationNotFound")
        begun, future = self._begun[number]
        if self.held.is_set() or not future.done():
            return begun, "running", {}
        problem = future.exception()
        if isinstance(problem, Refusal):
            return begun, "failed", {"error": problem.body()}
        if problem is not None:
            error = {"code": "InternalServerError", "message": "An unexpected error occurred."}
            return begun, "failed", {"error": error}
        return begun, "succeeded", future.result()
