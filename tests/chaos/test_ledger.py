"""The ledger has every call that was made, whatever fails and whoever dies."""

import os
import re
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from imaginem.ai_emulator import AiEmulator, AiEmulatorServer
from imaginem.config.settings import read_settings
from imaginem.host import Emulator
from imaginem.ports.ledger import STORAGE
from imaginem.runtime import Runtime
from imaginem.storage.account import emulator_connection_string
from tests.ai_emulator import ColorEngines, portrait
from tests.chaos.proxy import JSON, XML, FaultyProxy, _Exchange
from tests.installation import Installation

PHOTOS = 40
FAULTS = 0.03
_NEVER_ARRIVED = 3
KINDS = {"GET": "read", "HEAD": "read", "DELETE": "delete"}
AI_CALLS = (
    (r"/vision/v3.2/analyze", "vision analyze"),
    (r"/read/analyze$", "vision read"),
    (r"/read/analyzeResults", "vision read result"),
    (r"/detect$", "face detect"),
    (r"/findsimilars$", "face find similar"),
    (r"/persistedfaces$", "face add face"),
    (r"/train$", "face train"),
    (r"/training$", "face training status"),
    (r"/largefacelists/[^/]+$", "face create list"),
)


class CountingProxy(FaultyProxy):
    """Counts what goes through it, also what it spoils."""

    def __init__(self, target: int, body: bytes, seed: int) -> None:
        super().__init__(target, body, seed)
        self.lines: list[str] = []

    def __enter__(self) -> "CountingProxy":
        super().__enter__()
        return self

    async def _answer(self, request: _Exchange, *upstream: Any) -> bytes | None:
        self.lines.append(request.head.split(b"\r\n", 1)[0].decode())
        return await super()._answer(request, *upstream)


def ai_call(line: str) -> str:
    method, target, _ = line.split(" ")
    path = target.split("?")[0]
    for pattern, name in AI_CALLS:
        if re.search(pattern, path):
            return "face find similar in list" if "largeFaceListId" in line else name
    return f"{method} {path}"


def storage_call(service: str, line: str) -> str:
    return f"{service} {KINDS.get(line.split(' ')[0], 'write')}"


@pytest.mark.parametrize("disturbed", [False, True], ids=["undisturbed", "disturbed"])
def test_the_ledger_has_every_call_that_was_made(
    own_azurite: Emulator, app_copy: Path, tmp_path: Path, *, disturbed: bool
) -> None:
    ports, ai = own_azurite.ports, AiEmulator(ColorEngines())
    with (
        CountingProxy(ports.blob, XML, 1) as blob,
        CountingProxy(ports.queue, XML, 2) as queue,
        CountingProxy(ports.table, XML, 3) as table,
        AiEmulatorServer(ai) as server,
        CountingProxy(int(server.address.rpartition(":")[2]), JSON, 4) as services,
    ):
        address = f"http://127.0.0.1:{services.port}"
        settings = {
            "VISION_ENGINE": "azure",
            "FACE_ENGINE": "azure",
            "VISION_ENDPOINT": address,
            "FACE_ENDPOINT": address,
            "VISION_API_KEY": ai.key,
            "FACE_API_KEY": ai.key,
            "VISION_CALLS_PER_SECOND": "50",
            "FACE_CALLS_PER_SECOND": "50",
            "MAX_ATTEMPTS": "20",
        }
        own = Installation(
            app_copy, tmp_path / "home", own_azurite.connection_string, environment=settings
        )
        proxied = emulator_connection_string(blob.port, queue.port, table.port)
        own.environment["AzureWebJobsStorage"] = proxied  # of the workers alone
        uploader = Runtime(read_settings(own.environment))
        urls = [
            uploader.blobs.put("inputimages", f"b/{n}", portrait(f"p{n}"), "image/png")
            for n in range(PHOTOS)
        ]
        uploader.database.close()
        for proxy in (blob, queue, table, services):
            proxy.lines.clear()
            proxy.share = FAULTS if disturbed else 0.0
        own.start()
        try:
            for number, url in enumerate(urls):
                own.job(url, batch="b", job=f"j{number}")
            if disturbed:
                _kill_a_worker_at_work(own)
            own.wait("b", [f"j{number}" for number in range(PHOTOS)], seconds=300)
        finally:
            own.host.close()  # workers end, and write what they have counted
        sums = own.runtime.ledger.sums()
        own.stop()
        counted = Counter[str]()
        for item, amount in sums.items():
            if item.service not in ("functions", "step") and item.operation != "queue host":
                name = (
                    item.operation
                    if item.service == STORAGE
                    else f"{item.service} {item.operation}"
                )
                counted[name] += amount.calls
        made = Counter(map(ai_call, services.lines))
        for name, proxy in (("blob", blob), ("queue", queue), ("table", table)):
            made += Counter(storage_call(name, line) for line in proxy.lines)
        assert made - counted == Counter()
        # A request is counted before it is sent: some of a connection that breaks, or of a worker
        # that is killed, never arrive.
        never_arrived = counted - made
        assert never_arrived.total() <= (_NEVER_ARRIVED if disturbed else 0), never_arrived
        faults = sum(proxy.faults.total() for proxy in (blob, queue, table, services))
        assert (faults > 10) is disturbed


def _kill_a_worker_at_work(own: Installation) -> None:
    """Kill one worker once some jobs have ended, and others are at work."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if len(list(own.runtime.results.finished("b"))) >= 5:
            os.kill(own.host.worker_pids[0], signal.SIGKILL)
            return
        time.sleep(0.02)
    raise AssertionError(own.log_text[-3000:])
