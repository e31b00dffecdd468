"""Serves the AI emulator with quick engines over https, in its own process, until stdin ends.

In pytest's process, asyncio would warn of every TLS socket that clients keep in their pools.
"""

import sys

from imaginem.ai_emulator import AiEmulator, AiEmulatorServer
from tests.ai_emulator import ColorEngines

with AiEmulatorServer(AiEmulator(ColorEngines()), tls=(sys.argv[1], sys.argv[2])) as server:
    print(server.address, flush=True)
    sys.stdin.read()
