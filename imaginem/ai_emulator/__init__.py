"""An emulator of Azure Computer Vision 3.2 and Azure Face 1.2, for tests, demo and development.

The real SDKs talk HTTP to it. It checks keys, versions, parameters, sizes and formats, keeps
to a quota, forgets face ids and wants lists trained, as the services do; behind it the local
engine looks at the photos.
"""

from imaginem.ai_emulator.app import AiEmulator, AiEmulatorOptions
from imaginem.ai_emulator.server import AiEmulatorServer

__all__ = ["AiEmulator", "AiEmulatorOptions", "AiEmulatorServer"]
