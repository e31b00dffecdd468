"""What runs of the API did: how much, and which operations they reached."""

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass
class Report:
    """What runs did.

    Attributes:
        answers: counts of statuses, by operation.
    """

    runs: int = 0
    steps: int = 0
    executions: int = 0
    answers: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return sum(counts.total() for counts in self.answers.values())

    @property
    def told(self) -> str:
        """What runs did, in one line."""
        return (
            f"{self.runs} runs, {self.steps} steps, {self.requests} requests, "
            f"{self.executions} step executions"
        )

    def never_done(self, operations: Collection[str]) -> list[str]:
        """Return the operations that never succeeded."""
        return [
            name
            for name in operations
            if not any(200 <= status < 300 for status in self.answers[name])
        ]
