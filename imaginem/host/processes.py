"""Processes of this machine by pid and start time, so that a reused pid is never taken for another.

Linux tells in /proc, macOS with `ps`.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_STATE, _STARTED = 0, 19
"""Places in /proc/PID/stat, counted after the name in brackets (proc(5): fields 3 and 22)."""
_LOOK_EVERY = 0.05
_PS_SECONDS = 10


@dataclass(frozen=True)
class Process:
    """A process that runs, or ran.

    Attributes:
        pid: its number.
        started: when it began, as the system says it; texts of one system can be compared.
    """

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "Process | None":
        """Return the process that has a pid now; None if there is none, or it has ended."""
        state, started = _look(pid)
        return cls(pid, started) if state and state != "Z" else None

    @property
    def runs(self) -> bool:
        """Whether it still runs; another process with the same pid does not count."""
        return Process.of(self.pid) == self

    @property
    def is_stopped(self) -> bool:
        """Whether a signal (SIGSTOP, SIGTSTP) has stopped it."""
        return _look(self.pid)[0] in ("T", "t")

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended; tell whether it has."""
        deadline = time.monotonic() + seconds
        while self.runs:
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK_EVERY)
        return True

    def end(self, seconds: float) -> None:
        """End it in order (SIGTERM); kill it if it still runs after some seconds.

        Raises:
            PermissionError: it is another user's.
        """
        for number in (signal.SIGTERM, signal.SIGCONT, signal.SIGKILL):
            if not self.runs:
                return
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)
            if number is not signal.SIGTERM:  # a stopped process gets SIGTERM when it goes on
                self.wait(seconds)


def commands() -> Iterator[tuple[int, list[str]]]:
    """Yield pid and words of every command that runs; without those that we may not see."""
    if (_PROC / "self" / "cmdline").exists():
        for path in _PROC.glob("[0-9]*/cmdline"):
            with suppress(OSError):
                words = path.read_bytes().decode("utf-8", "replace").split("\0")
                yield int(path.parent.name), words[:-1]
    else:
        for line in _ps("-axwwo", "pid=,command=").splitlines():
            pid, _, command = line.strip().partition(" ")
            yield int(pid), command.split(" ")


def _look(pid: int) -> tuple[str, str]:
    """Return state (a letter) and start of a process; empty if there is none."""
    if not (_PROC / "self" / "stat").exists():
        state, _, started = _ps("-o", "state=,lstart=", "-p", str(pid)).strip().partition(" ")
        return state[:1], started.strip()
    try:
        text = (_PROC / str(pid) / "stat").read_text("utf-8", "replace")
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "", ""
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    return fields[_STATE], f"{boot} {fields[_STARTED]}"


def _ps(*arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            ["ps", *arguments],  # noqa: S607 - its place differs
            capture_output=True,
            text=True,
            timeout=_PS_SECONDS,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
