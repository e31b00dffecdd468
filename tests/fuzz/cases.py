"""What came of one hostile input, and of many."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

_HIGHEST = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Case:
    """What came of the input that a seed makes.

    Attributes:
        outcome: in words that many cases share.
        about: what the input was, for whoever looks at the slowest or at a breach.
        megabytes: most memory of this process meanwhile; 0 where it was not measured.
        breach: what should not have happened; empty if nothing.
    """

    seed: int
    outcome: str
    seconds: float
    about: str = ""
    megabytes: float = 0.0
    breach: str = ""


@dataclass
class Tally:
    """The sum of many cases."""

    count: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: Case = field(default_factory=lambda: Case(0, "", 0.0))
    largest: Case = field(default_factory=lambda: Case(0, "", 0.0))
    breaches: list[Case] = field(default_factory=list)

    def add(self, case: Case) -> None:
        """Add a case."""
        self.count += 1
        self.outcomes[case.outcome] += 1
        self.slowest = max(self.slowest, case, key=lambda each: each.seconds)
        self.largest = max(self.largest, case, key=lambda each: each.megabytes)
        if case.breach:
            self.breaches.append(case)

    @property
    def told(self) -> str:
        """The breaches in lines, with the seed that shows each again."""
        return "\n".join(
            f"seed {each.seed} ({each.about}): {each.breach}" for each in self.breaches
        )


def tally_of(cases: Iterable[Case]) -> Tally:
    """Add cases up."""
    tally = Tally()
    for case in cases:
        tally.add(case)
    return tally


def forget_peak() -> None:
    """Make the system count this process's highest memory from here on; Linux only."""
    if _RESET.exists():
        _RESET.write_text("5")


def peak_megabytes() -> float:
    """Return this process's highest memory since `forget_peak`; 0 where it is not known."""
    if not _HIGHEST.exists():
        return 0.0
    lines = _HIGHEST.read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)
