"""`make bombs`: decodes every bomb, and gives some to a real HTTP process; prints what it costs.

Ends with 1 if a bomb takes more than it may, if unfinished uploads fill the memory, or if health
takes more than a second; more than three while a thousand uploads arrive at once, since the one
event loop takes a millisecond for each before it comes to health.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from imaginem.host import Emulator, EmulatorPorts
from tests.bombs import KINDS
from tests.bombs.health import Health, asking_health
from tests.bombs.http_load import APP, HttpServer, begin_uploads, search_with

_SECONDS, _MEGABYTES = 5.0, 600.0
_AT_ONCE, _UPLOADS = 40, 1_000
_HEALTH_SECONDS = 1.0
_UPLOADS_HEALTH_SECONDS, _UPLOADS_MEGABYTES = 3.0, 400.0
_SEARCHED = (
    "jpeg: 600 scans of 8 megapixels",
    "jpeg: 30 scans of 24 megapixels",
    "jpeg: 100 scans of 24 megapixels",
    "png: 64 megapixels of one colour",
)
# Time is that of the processors: this machine's other work is not the bomb's.
_DECODE = """
import re, resource, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
from imaginem.errors import PermanentError
from imaginem.images.decoding import decode_photo
data = Path(sys.argv[1]).read_bytes()
try:
    photo = decode_photo(data)
    photo.array  # as engines do
    if photo.page_count > 1:
        photo.on_page(min(photo.page_count, 100)).array
    told = f"{photo.width} x {photo.height}"
except PermanentError as problem:
    told = str(problem)
own, child = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
seconds = own.ru_utime + own.ru_stime + child.ru_utime + child.ru_stime
print(seconds, peak / 1024, child.ru_maxrss / 1024, told, sep="|")
"""


def _decode_each(folder: Path) -> int:
    failures = 0
    for name, make in KINDS.items():
        file = folder / "bomb"
        file.write_bytes(make())
        command = [sys.executable, "-c", _DECODE, str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            failures += 1
            print(f"FAILED {name}: {done.stderr[-500:]}")
            continue
        seconds, own, child, told = done.stdout.strip().split("|", 3)
        within = float(seconds) <= _SECONDS and max(float(own), float(child)) <= _MEGABYTES
        failures += not within
        print(
            f"{'' if within else 'FAILED '}{name:42} {float(seconds):5.2f} s {float(own):4.0f} MB, "
            f"child {float(child):4.0f} MB | {told[:110]}",
            flush=True,
        )
    print(f"{len(KINDS)} kinds; the limits are {_SECONDS:.0f} s and {_MEGABYTES:.0f} MB")
    return failures


def _search(server: HttpServer) -> int:
    failures = 0
    for name in _SEARCHED:
        data = KINDS[name]()
        begun = time.monotonic()
        with asking_health(server.port, server.process.pid) as health:
            answers = search_with(server, [data] * _AT_ONCE)
        seconds = time.monotonic() - begun
        failed = _health_failed(health, _HEALTH_SECONDS)
        failures += failed
        print(
            f"{'FAILED ' if failed else ''}{_AT_ONCE} x {name}: {dict(answers)} in "
            f"{seconds:.1f} s; {_told(health)}",
            flush=True,
        )
    return failures


def _upload(server: HttpServer) -> int:
    before = server.memory()
    with asking_health(server.port, server.process.pid) as health:
        connections = begin_uploads(server.port, _UPLOADS, 20 * 2**20, 19 * 2**20)
        time.sleep(5)
    grown = server.memory("VmHWM") - before
    for connection in connections:
        connection.close()
    failed = grown > _UPLOADS_MEGABYTES or _health_failed(health, _UPLOADS_HEALTH_SECONDS)
    print(
        f"{'FAILED ' if failed else ''}{_UPLOADS:,} unfinished uploads of 20 MB: HTTP grew by "
        f"{grown:.0f} MB from {before:.0f} MB; {_told(health)}"
    )
    return failed


def _health_failed(health: Health, seconds: float) -> bool:
    return bool(health.failures) or not 0 < health.slowest <= seconds


def _told(health: Health) -> str:
    return (
        f"health was asked {len(health.seconds)} times, {health.failures} in vain, slowest "
        f"{health.slowest:.3f} s ({health.slowest_by_clock:.3f} s with waits for a processor)"
    )


def main() -> int:
    """Try everything; return the exit code."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        failures = _decode_each(folder)
        # Without storage no search is noted in the audit trail, and then none is made.
        with Emulator(None, EmulatorPorts.free(), APP) as storage:
            for load in (_search, _upload):
                server = HttpServer(folder, {"AzureWebJobsStorage": storage.connection_string})
                try:
                    failures += load(server)
                finally:
                    server.close()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
