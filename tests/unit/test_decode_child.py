"""However the process ends that decodes a photo: nobody waits for ever, and nothing is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from imaginem.errors import PermanentError, RetryableError
from imaginem.images.apart import follow, start_child
from imaginem.images.limits import OverLimit
from tests.bombs import jpegs

PHOTO = jpegs.jpeg(64, 48)


def python(code: str) -> "subprocess.Popen[bytes]":
    """Return a child that does something else than decode."""
    command = [sys.executable, "-S", "-c", code]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def dying_by(number: int) -> str:
    return f"import os; os.kill(os.getpid(), {number})"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_photo_whose_child_was_ended_by_somebody_is_tried_again(number: int) -> None:
    child = start_child()
    child.send_signal(number)
    with pytest.raises(RetryableError):
        follow(child, PHOTO)


def test_a_child_that_hangs_is_ended_and_the_photo_is_tried_again() -> None:
    child = python("import time; time.sleep(600)")
    with pytest.raises(RetryableError, match="waited too long"):
        follow(child, PHOTO, 0.05)
    assert child.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("code", "kind", "told"),
    [
        (dying_by(signal.SIGXCPU), OverLimit, "more than 4 s"),
        ("raise MemoryError", OverLimit, "more than 600 MB"),
        (dying_by(signal.SIGSEGV), PermanentError, "breaks the decoder"),
        (dying_by(signal.SIGABRT), PermanentError, "breaks the decoder"),
    ],
)
def test_what_a_photo_does_to_its_child_is_told(code: str, kind: type, told: str) -> None:
    with pytest.raises(kind, match=told):
        follow(python(f"import resource; resource.setrlimit(4, (0, 0)); {code}"), PHOTO)


def test_a_child_that_dies_amid_the_pixels_gives_no_photo() -> None:
    header = '{"width": 9, "height": 9, "format": "JPEG"}'
    with pytest.raises(RetryableError):
        follow(python(f"print({header!r}, flush=True); {dying_by(signal.SIGKILL)}"), PHOTO)


_PARENT = """
import sys, time
from imaginem.images.apart import start_child
child = start_child()
child.stdin.write(sys.stdin.buffer.read())
child.stdin.flush()
if sys.argv[1] == "all":
    child.stdin.close()
    child.stdout.read(1)
print(child.pid, flush=True)
time.sleep(600)
"""


def ended(pid: int) -> bool:
    """Tell whether a process has ended; its entry may stay until somebody asks for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("given", ["half", "all"])
def test_a_child_ends_when_its_parent_is_killed(given: str) -> None:
    """It waits for the rest of its photo, or for somebody who reads its pixels."""
    data = jpegs.jpeg(2_000, 1_500)
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, given], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert parent.stdin is not None and parent.stdout is not None
    with parent:
        parent.stdin.write(data)
        parent.stdin.close()
        child = int(parent.stdout.readline())
        assert not ended(child)
        parent.kill()
    deadline = time.monotonic() + 10
    while not ended(child) and time.monotonic() < deadline:
        os.sched_yield()
    assert ended(child)


_CLOCK = """
import signal
from imaginem.images.child import limit_this_process
limit_this_process()
print(signal.alarm(0))
"""


def test_a_child_ends_itself_when_nobody_does() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CLOCK], capture_output=True, text=True, check=True
    )
    assert 60 < int(done.stdout) <= 65
