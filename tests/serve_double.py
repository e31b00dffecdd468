"""Serves the double with quick engines by https, in a process of its own, until stdin ends.

In pytest's process asyncio would complain of every TLS socket that clients keep in their pools.
"""

import sys

from imaginem.double import Double, DoubleServer
from tests.double import ColorEngines

with DoubleServer(Double(ColorEngines()), tls=(sys.argv[1], sys.argv[2])) as server:
    print(server.address, flush=True)
    sys.stdin.read()
