"""Get a pinned package's archive with pip or npm, which know their registries and mirrors."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from imaginem.assets.manifest import Package
from imaginem.assets.nodejs import npm_command
from imaginem.assets.store import sha256_of
from imaginem.errors import ConfigurationError, RetryableError
from imaginem.redaction import one_line

Progress = Callable[[int], None]
"""Called with the bytes received so far."""
_RAW_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")


def download(package: Package, folder: Path, progress: Progress) -> Path:
    """Return the archive in `folder`, downloading it unless it is there already.

    Raises:
        RetryableError: the registry did not deliver.
        ConfigurationError: it delivered something else than what is pinned.
    """
    target = folder / package.archive
    if target.is_file() and sha256_of(target) == package.sha256:
        progress(package.size)
        return target
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        got = (_with_npm if package.index == "npm" else _with_pip)(package, Path(scratch), progress)
        if sha256_of(got) != package.sha256:
            raise ConfigurationError(
                f"{package.name}: the registry's {got.name} is not the pinned archive; "
                "nothing of it was used"
            )
        got.replace(target)
    progress(package.size)
    return target


def _with_pip(package: Package, scratch: Path, progress: Progress) -> Path:
    """Download by hash: pip refuses another archive before it looks into it."""
    requirement = scratch / "pinned.txt"
    requirement.write_text(f"{package.name} --hash=sha256:{package.sha256}\n", "utf-8")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-input", "--quiet"]
    command += ["--progress-bar", "raw", "--disable-pip-version-check"]
    command += ["--require-hashes", "-r", str(requirement), "-d", str(scratch / "got")]
    if package.sdist:
        command += ["--no-binary", ":all:"]
    else:
        command += ["--only-binary", ":all:"]
    if package.platform:
        command += ["--platform", package.platform, "--python-version", "3.11"]
        command += ["--implementation", "cp"]
    _run(command, package, progress)
    return _only_file(scratch / "got", package)


def _with_npm(package: Package, scratch: Path, progress: Progress) -> Path:
    got = scratch / "got"
    got.mkdir()
    name = "@".join(package.name.rsplit("==", 1))
    command = [*npm_command(), "pack", name, "--pack-destination", str(got), "--silent"]
    _run(command, package, progress)
    return _only_file(got, package)


def _only_file(folder: Path, package: Package) -> Path:
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    if len(found) != 1:
        raise RetryableError(f"{package.name}: the registry delivered no archive; try again")
    return found[0]


def _run(command: Sequence[str], package: Package, progress: Progress) -> None:
    with subprocess.Popen(  # noqa: S603 - arguments come from our manifest
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        told: list[str] = []
        assert process.stdout is not None  # noqa: S101 - PIPE was asked for
        for line in process.stdout:
            received = _RAW_PROGRESS.search(line)
            if received:
                progress(min(int(received.group(1)), package.size))
            elif line.strip():
                told.append(line.strip())
    if process.returncode != 0:
        why = one_line(" ".join(told[-3:]), 300)
        raise RetryableError(f"{package.name} could not be downloaded ({why}): try again")
