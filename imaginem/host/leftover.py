"""Storage emulators that a host has left behind: ours is ended, others' are named."""

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from imaginem.errors import ConfigurationError
from imaginem.host.home import is_locked, write_atomically
from imaginem.host.processes import Process, commands

_OWN_END_SECONDS = 10
"""How long an emulator whose host was killed may take to save its books by itself."""


def record(data: Path, pid: int) -> None:
    """Note, beside an emulator's data, the process that works on it."""
    process = Process.of(pid)
    if process is not None:
        text = json.dumps({"pid": process.pid, "started": process.started})
        write_atomically(_note(data), text)


def forget(data: Path) -> None:
    """Remove the note: the process has ended."""
    _note(data).unlink(missing_ok=True)


def end_leftover(data: Path, seconds: float) -> None:
    """End the emulator that the note names, if it still runs; it may save its books.

    Args:
        data: of the emulator. The caller holds the lock of its home, so no host uses it.
        seconds: after which it is killed.

    Raises:
        ConfigurationError: it is another user's process.
    """
    process = _noted(data)
    if process is None or not process.runs:
        return
    # It ends by itself when its host does; only a process that hangs, or is stopped, does not.
    if process.is_stopped or not process.wait(_OWN_END_SECONDS):
        try:
            process.end(seconds)
        except PermissionError:
            raise ConfigurationError(
                f"the storage emulator of another user still works on {data} (process "
                f"{process.pid}): have it ended, or name another home with --home"
            ) from None


def _note(data: Path) -> Path:
    return data.with_name(f"{data.name}.process")


def _noted(data: Path) -> Process | None:
    try:
        noted = json.loads(_note(data).read_text("utf-8"))
        return Process(int(noted["pid"]), str(noted["started"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True)
class Server:
    """An Azurite that runs.

    Attributes:
        pid: of its process.
        home: to which it belongs; None if Imaginem did not start it.
        state: what it is doing, in words.
        remedy: how to end it.
    """

    pid: int
    home: Path | None = None
    state: str = ""
    remedy: str = ""


def who_serves(blob_port: int) -> Server | None:
    """Return the Azurite on a port, as far as the commands that run here tell."""
    others = None
    for pid, words in commands():
        if not any("azurite" in word for word in words):
            continue
        if ("--blobPort", str(blob_port)) in pairwise(words):
            return _of_home(pid, words)
        if "--blobPort" not in words:
            others = Server(pid)
    return others


def _of_home(pid: int, words: list[str]) -> Server:
    if "--location" not in words or not any("lifeline" in word for word in words):
        return Server(pid)
    # Our own command ends with the folder, in which there may be spaces.
    home = Path(" ".join(words[words.index("--location") + 1 :])).parent
    if is_locked(home):
        return Server(pid, home, "a host runs on it", "stop that host")
    process = Process.of(pid)
    stopped = process is not None and process.is_stopped
    remedy = f"kill {pid}" + (f"; kill -CONT {pid}" if stopped else "")
    return Server(pid, home, f"process {pid}, left behind", f"end it with `{remedy}`")
