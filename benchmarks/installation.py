"""An Imaginem that runs for a measurement: storage emulator, host and workers."""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from imaginem.config.settings import read_settings
from imaginem.host import Emulator, EmulatorPorts, Host, HostOptions
from imaginem.runtime import Runtime

WORKERS = 2


@contextmanager
def running(
    settings: Mapping[str, str] | None = None,
    order: Sequence[str] = (),
    *,
    in_memory: bool = False,
) -> Iterator[tuple[Host, Runtime]]:
    """Start the app of this folder with a temporary home; yield the host and its services.

    Args:
        settings: more settings, besides storage and home.
        order: queues in the order in which jobs visit them; the default pipeline if empty.
        in_memory: whether the storage emulator keeps everything in memory.
    """
    with tempfile.TemporaryDirectory() as folder:
        home, ports = Path(folder), EmulatorPorts.free()
        environment = {
            "AzureWebJobsStorage": ports.connection_string,
            "IMAGINEM_HOME": str(home),
            **(settings or {}),
        }
        runtime = Runtime(read_settings({**os.environ, **environment}))
        data = None if in_memory else home / "storage"
        with (home / "host.log").open("wb") as log, Emulator(data, ports):
            options = HostOptions(
                Path.cwd(),
                workers=WORKERS,
                port=0,
                environment=environment,
                log=log,
                order=order or runtime.settings.pipeline,
            )
            host = Host(options, runtime.queues, runtime.blobs)
            host.start()
            try:
                yield host, runtime
            finally:
                host.close()
                runtime.database.close()
