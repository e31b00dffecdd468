"""The local Functions host: runs a `function_app.py` as `func start` would, on one machine."""

from imaginem.host.config import HostConfig, read_host_config
from imaginem.host.emulator import Emulator, EmulatorPorts
from imaginem.host.host import Host
from imaginem.host.session import HostOptions

__all__ = ["Emulator", "EmulatorPorts", "Host", "HostConfig", "HostOptions", "read_host_config"]
