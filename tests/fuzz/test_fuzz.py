"""Some of what `make fuzz` plays: no message, photo file or address does harm."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from tests.conftest import ROOT
from tests.fuzz import images, messages
from tests.fuzz.apart import play_apart
from tests.fuzz.cases import Case, tally_of

MESSAGES, IMAGES, URLS = range(100), range(40), range(120)


def test_every_hostile_message_is_recorded_or_kept_with_a_reason() -> None:
    play = messages.prepare()
    tally = tally_of(play(seed) for seed in MESSAGES)
    assert not tally.breaches, tally.told
    assert len(tally.outcomes) > 4


def test_every_broken_photo_is_decoded_or_refused_with_a_reason() -> None:
    tally = tally_of(play_apart(images.prepare, IMAGES, 2))
    assert not tally.breaches, tally.told
    assert len(tally.outcomes) > 3


def test_no_address_leads_inside() -> None:
    """In a process of its own, whose network is made up."""
    command = [sys.executable, "-m", "tests.fuzz", "--only", "urls"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "URLS": str(len(URLS))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(URLS)} urls" in done.stdout


def prepare_badly() -> Callable[[int], Case]:
    """Play seeds of which one never ends, and one kills the process."""
    return _play_badly


def _play_badly(seed: int) -> Case:
    if seed == 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    if seed == 3:
        time.sleep(60)
    return Case(seed, "fine", 0.0)


def test_a_crash_and_a_hang_are_told_with_their_seeds() -> None:
    tally = tally_of(play_apart(prepare_badly, range(5), 2, hang=2))
    assert tally.outcomes == {"fine": 3, "the process ended": 2}
    assert {case.seed: case.breach for case in tally.breaches} == {
        1: "the process died of SIGSEGV",
        3: "it took more than 2 s",
    }
