"""1,000 photos on an AI account of 10 calls a second: calls refused, and quota used."""

import time
import uuid
from types import SimpleNamespace

from benchmarks.installation import running
from benchmarks.result import Result
from imaginem.ai_emulator import AiEmulator, AiEmulatorOptions, AiEmulatorServer
from imaginem.pipeline.states import JobState
from imaginem.runtime import Runtime
from imaginem.testing import FakeFaces, FakeOcr, FakeVision, message_for, photo_bytes
from imaginem.usecases.progress import read_batch

_PHOTOS = 1_000
_PER_SECOND = 10
_AT_ONCE = 200  # most unfinished jobs: the storage emulator gets slower with more messages
_STEPS = ("generalclassification", "pipelineoutput")


class _TimedEmulator(AiEmulator):
    """Notes the times of the first and the last call."""

    first = last = 0.0

    async def _gateway(self, request, go_on):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        self.last = time.monotonic()
        self.first = self.first or self.last
        return await super()._gateway(request, go_on)


def _run_batch(runtime: Runtime) -> list[JobState]:
    """Send the photos, some at once, wait for all, and return the state of each job."""
    batch = uuid.uuid4().hex[:8]
    url = runtime.blobs.put("inputimages", f"{batch}/photo", photo_bytes(200, 150), "image/png")
    sent = 0
    while True:
        ended = [row.job_state for row in read_batch(runtime.log, batch, set()) if row.has_ended]
        if len(ended) == _PHOTOS:
            return ended
        while sent < _PHOTOS and sent - len(ended) < _AT_ONCE:
            message = message_for(url, _STEPS, batch_id=batch, job_id=str(sent))
            runtime.queues.send(_STEPS[0], message.encode())
            sent += 1
        time.sleep(1)


def run() -> list[Result]:
    """Return the share of refused calls, and the share of the quota that was used."""
    engines = SimpleNamespace(vision=FakeVision(), ocr=FakeOcr(), faces=FakeFaces(), embedder=None)
    ai_emulator = _TimedEmulator(engines, AiEmulatorOptions(per_second=_PER_SECOND))
    with AiEmulatorServer(ai_emulator) as server:
        settings = {
            "VISION_ENGINE": "azure",
            "VISION_ENDPOINT": server.address,
            "VISION_API_KEY": ai_emulator.key,
            "VISION_CALLS_PER_SECOND": str(_PER_SECOND),
        }
        with running(settings, _STEPS, in_memory=True) as (_, runtime):
            states = _run_batch(runtime)
    quota = ai_emulator.quotas["vision"]
    failed = sum(state != "succeeded" for state in states)
    refused = quota.refused / quota.calls
    seconds = ai_emulator.last - ai_emulator.first
    used = (quota.calls - quota.refused) / seconds / _PER_SECOND
    return [
        Result(f"failed of {_PHOTOS} jobs", failed, str(failed), "0", failed == 0),
        Result("calls refused (429)", refused, f"{refused:.1%}", "< 1 %", refused < 0.01),
        Result("use of the quota", used, f"{used:.0%}", ">= 90 %", used >= 0.9),
    ]
