"""Storage operations and billed executions of one photo: the original's protocol, and ours.

One photo with one face, local engines, through all seven steps, on an account where everything
exists. Not counted: upload and submission, polls that find nothing, the pacing of services, the
event of a photo that is dropped.
"""

import os
import tempfile

import steps  # noqa: F401 - registers the steps
from benchmarks import fusion
from benchmarks.deliveries import HOST_CALLS, Delivered, deliver, without_polls
from benchmarks.result import Result
from imaginem.assets import AssetStore
from imaginem.config.settings import read_settings
from imaginem.host import Emulator, EmulatorPorts
from imaginem.names import own_photo_metadata
from imaginem.pipeline.steps import default_registry
from imaginem.runtime import Runtime
from imaginem.testing import message_for

_PHOTOS = ("biden.jpg", "obama.jpg")  # the first warms up: it makes queues, tables, containers
_LIMITS = {"one step a delivery": (32, 7), "fused": (10, 2)}
_WORKERS = 2  # of the local host, unless somebody asks for more
_STEPS = 7
# Read from the C# of the original's functions: how often each call is made for such a photo.
ORIGINAL = {
    "the host takes a message": _STEPS,
    "the host deletes a message": _STEPS,
    "create the log's table if it is missing": _STEPS,
    "insert or merge the log's row": _STEPS,
    "create the next queue if it is missing": _STEPS - 1,
    "put the message on the next queue": _STEPS - 1,
    "facecrop reads the photo": 1,
    "facecrop creates its container if it is missing": 1,
    "facecrop sets the container's permissions": 1,
    "facecrop writes a crop": 1,
}
"""Besides, the AI services read the photo by its address: three times more."""


def measure_photo(settings: dict[str, str], workers: int = _WORKERS) -> Delivered:
    """Return what the second photo on a fresh account takes; see `deliver`."""
    with tempfile.TemporaryDirectory() as home, Emulator(None, EmulatorPorts.free()) as emulator:
        own = {"AzureWebJobsStorage": emulator.connection_string, "IMAGINEM_HOME": home}
        runtime = without_polls(Runtime(read_settings({**os.environ, **own, **settings})))
        store, pipeline = AssetStore(runtime.settings.assets), runtime.settings.pipeline
        try:
            for name in _PHOTOS:
                place, data = ("inputimages", f"bench/{name}"), store.path(name).read_bytes()
                own_photo = own_photo_metadata(*place)
                url = runtime.blobs.put(*place, data, "image/jpeg", metadata=own_photo)
                message = message_for(url, pipeline, job_id=name, batch_id="bench")
                taken = deliver(runtime, default_registry, emulator.ports, message, workers)
        finally:
            runtime.database.close()
    return taken


def run() -> list[Result]:
    """Return operations and executions of each way."""
    original = sum(ORIGINAL.values())
    results = [
        Result(
            "storage operations of one photo: the original's protocol",
            original,
            f"{original}, and 3 reads of the photo by the services",
            key="operations",
            label="the original",
        ),
        Result("billed executions of one photo: the original", _STEPS, str(_STEPS)),
    ]
    for name, settings in fusion.modes().items():
        taken = measure_photo(settings)
        most, most_executions = _LIMITS[name]
        if taken.executions > 1:
            apart = measure_photo(settings, workers=0)
            what = f"storage operations of one photo: {name}, each on an instance of its own"
            results.append(Result(what, apart.operations, _explained(apart)))
        results += [
            Result(
                f"storage operations of one photo: {name}",
                taken.operations,
                _explained(taken),
                f"<= {most}",
                taken.operations <= most,
                key="operations",
                label=name,
            ),
            Result(
                f"billed executions of one photo: {name}",
                taken.executions,
                str(taken.executions),
                f"<= {most_executions}",
                taken.executions <= most_executions,
            ),
        ]
    return results


def _explained(taken: Delivered) -> str:
    parts = [f"{count} {call}" for call, count in sorted(taken.counts().items())]
    host = HOST_CALLS * taken.executions
    return f"{taken.operations}: {', '.join(parts)}, and {host} of the host"
