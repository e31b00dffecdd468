"""What may happen to a running installation: processes die or stop, the database is locked."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from imaginem.host import EmulatorPorts

_STARTS_WITHIN = 90.0


def children_of(pid: int) -> list[int]:
    """Return the direct children of a process, whichever of its threads started them."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # the thread has ended meanwhile
            found += [int(child) for child in path.read_text().split()]
    return found


def command_of(pid: int) -> str:
    """Return a process's command line; empty if it has gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


class HostProcess:
    """A host that runs in a process of its own, and is started again when it ends.

    Args:
        command: what to run, after Python; the port is added as the last argument.
        environment: its settings.
        log: file that gets what it prints.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.port = EmulatorPorts.free().blob
        self.starts = 0
        self._command = [sys.executable, *command, str(self.port)]
        self._environment = {**os.environ, **environment}
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers; again if it could not."""
        deadline = time.monotonic() + _STARTS_WITHIN
        while True:
            if self._process is None or self._process.poll() is not None:
                self._spawn()
            if self.answers():
                return
            assert time.monotonic() < deadline, self._log.read_text("utf-8", "replace")[-3000:]
            time.sleep(0.1)

    def _spawn(self) -> None:
        self.starts += 1
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def answers(self) -> bool:
        """Tell whether its HTTP answers."""
        with suppress(OSError):
            address = f"http://127.0.0.1:{self.port}/api/health"
            with urllib.request.urlopen(address, timeout=5) as answer:
                return bool(answer.status == 200)
        return False

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def processes(self, part: str) -> list[int]:
        """Return its children whose command has this part, such as `imaginem.host.worker`."""
        return [child for child in children_of(self.pid) if part in command_of(child)]

    def kill(self) -> None:
        """Kill it as power loss would, without a chance to say goodbye."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Stop it in good order."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class Attackers:
    """Does one thing after the other to an installation, at moments and in an order of a seed.

    Args:
        attacks: what may be done, by name, each with how often for its share of the others.
        seed: decides which attack comes when.
        progress: tells how much has been done; whoever only attacks lets nothing go on.
        steps: least and most that is done between two attacks.

    Attributes:
        done: how often each was done.
    """

    def __init__(
        self,
        attacks: Mapping[str, tuple[int, Callable[[random.Random], bool]]],
        seed: int,
        progress: Callable[[], int],
        steps: tuple[int, int],
    ) -> None:
        self.done = Counter[str]()
        self._attacks, self._progress, self._steps = attacks, progress, steps
        self._chance = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Attackers":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        names = list(self._attacks)
        weights = [self._attacks[name][0] for name in names]
        due = 0
        while not self._stop.wait(0.05):
            if (done := self._progress()) < due:
                continue
            due = done + self._chance.randint(*self._steps)
            (name,) = self._chance.choices(names, weights)
            self.done[name] += self._attacks[name][1](self._chance)


def kill_one(pids: Sequence[int], chance: random.Random) -> bool:
    """Kill one of these processes; tell whether there was one."""
    if not pids:
        return False
    try:
        os.kill(chance.choice(pids), signal.SIGKILL)
    except ProcessLookupError:  # it ended by itself
        return False
    return True


def stop_one(pids: Sequence[int], chance: random.Random, longest: float) -> bool:
    """Stop one of these processes for some seconds, as a laptop's lid does."""
    if not pids:
        return False
    pid = chance.choice(pids)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(chance.uniform(0.5, longest))
        os.kill(pid, signal.SIGCONT)
    return True


def lock_database(file: Path, chance: random.Random, longest: float) -> bool:
    """Keep an SQLite file locked for some seconds, as a backup does."""
    connection = sqlite3.connect(file, timeout=5, isolation_level=None)
    with suppress(sqlite3.OperationalError):
        connection.execute("begin exclusive")
        time.sleep(chance.uniform(0.5, longest))
        connection.execute("rollback")
    connection.close()
    return True


class SmallDisk:
    """A folder on a small file system of its own, which can be filled.

    Attributes:
        problem: why there is none, so that the folder lies on this machine's disk; else empty.
    """

    def __init__(self, folder: Path, megabytes: int) -> None:
        self._folder = folder
        folder.mkdir()
        command = [
            "mount",
            "-t",
            "tmpfs",
            "-o",
            f"size={megabytes}m",
            "imaginem-chaos",
            str(folder),
        ]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
            self.problem = ""
        except (OSError, subprocess.CalledProcessError) as problem:
            self.problem = str(getattr(problem, "stderr", "") or problem).strip()

    def fill(self, chance: random.Random, longest: float) -> bool:
        """Leave no byte free for some seconds; tell whether that was possible."""
        if self.problem:
            return False
        filler = self._folder / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as out:
            while out.write(bytes(65536)) == 65536:
                pass
        time.sleep(chance.uniform(0.5, longest))
        filler.unlink()
        return True

    def remove(self) -> None:
        """Unmount it."""
        if not self.problem:
            subprocess.run(["umount", "--lazy", self._folder], check=True)
