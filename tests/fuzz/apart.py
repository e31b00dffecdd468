"""Plays seeds in child processes, so that a crash or a hang is told with its seed."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from queue import SimpleQueue

from tests.fuzz.cases import Case

Prepare = Callable[[], Callable[[int], Case]]
"""Made ready in the child: what plays one seed. A function at the top level of its module."""
HANG_SECONDS = 30.0
_START_SECONDS = 60.0


def play_apart(
    prepare: Prepare, seeds: range, processes: int, *, hang: float = HANG_SECONDS
) -> Iterator[Case]:
    """Play seeds side by side; a process that died or hung is replaced, and its seed told."""
    cases: SimpleQueue[Case | None] = SimpleQueue()

    def follow(part: range) -> None:
        try:
            left: range = part
            while left:
                left = _play_some(prepare, left, hang, cases)
        finally:
            cases.put(None)

    with ThreadPoolExecutor(processes) as pool:
        parts = [pool.submit(follow, seeds[number::processes]) for number in range(processes)]
        for _ in parts:
            while (case := cases.get()) is not None:
                yield case
        for part in parts:
            part.result()


def _play_some(
    prepare: Prepare, seeds: range, hang: float, cases: "SimpleQueue[Case | None]"
) -> range:
    """Play seeds in one process until they end, or it does; return those that are left."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(
        target=_child, args=(theirs, prepare, seeds), daemon=True
    )
    process.start()
    theirs.close()
    done = 0
    try:
        if not ours.poll(_START_SECONDS) or ours.recv() is not None:
            raise RuntimeError("the process that plays seeds did not become ready")
        while done < len(seeds):
            if not ours.poll(hang):
                process.kill()
                cases.put(_ended_badly(seeds[done], f"it took more than {hang:g} s"))
                return seeds[done + 1 :]
            cases.put(ours.recv())
            done += 1
        return seeds[done:]
    except EOFError:
        process.join()
        if process.exitcode == 1:  # not of the input: what plays it has failed
            raise RuntimeError("the process that plays seeds failed; see above") from None
        cases.put(_ended_badly(seeds[done], f"the process died of {_death(process.exitcode)}"))
        return seeds[done + 1 :]
    finally:
        ours.close()
        process.join(5)


def _ended_badly(seed: int, why: str) -> Case:
    return Case(seed, "the process ended", 0.0, breach=why)


def _death(code: int | None) -> str:
    return signal.Signals(-code).name if code and code < 0 else f"exit code {code}"


def _child(connection: Connection, prepare: Prepare, seeds: range) -> None:
    play = prepare()
    connection.send(None)  # ready
    for seed in seeds:
        connection.send(play(seed))
