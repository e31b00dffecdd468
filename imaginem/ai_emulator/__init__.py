"""An emulator of the AI services of Azure, for tests, demo and development.

It plays Computer Vision 3.2, Face 1.2, Document Intelligence 4.0 and Content Understanding, and an
OpenAI-compatible server.

The real SDKs call it over HTTP. Like the services it checks keys, versions, parameters, sizes and
formats, keeps a quota, lets face ids expire, and searches a face list only once it is trained. The
local engines look at the photos.
"""

from imaginem.ai_emulator.app import AiEmulator, AiEmulatorOptions
from imaginem.ai_emulator.server import AiEmulatorServer

__all__ = ["AiEmulator", "AiEmulatorOptions", "AiEmulatorServer"]
