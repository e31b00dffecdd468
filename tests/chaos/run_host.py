"""A host in a process of its own, which chaos may kill.

`python -m tests.chaos.run_host APP WORKERS PORT`. Settings come from the environment.
It says `ready` on standard output once it is.
"""

import os
import signal
import sys
from pathlib import Path

from imaginem.config.settings import read_settings
from imaginem.host import Host, HostOptions
from imaginem.ports.log_lines import log_to
from imaginem.runtime import Runtime


def main(app: str, workers: str, port: str) -> None:
    """Run a host until SIGTERM."""
    log_to(sys.stderr)
    settings = read_settings()
    runtime = Runtime(settings)
    options = HostOptions(
        Path(app),
        workers=int(workers),
        port=int(port),
        environment=dict(os.environ),
        order=settings.pipeline,
    )
    host = Host(options, runtime.queues, runtime.blobs)
    signal.signal(signal.SIGTERM, lambda *_: host.request_stop())
    host.start()
    print("ready", flush=True)
    host.run_until_stopped()
    host.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
