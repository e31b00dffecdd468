"""Download a pinned package's archive with pip or npm, so that their mirror settings apply."""

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
    """Return the path of the archive in `folder`, downloading it unless it is there already.

    Raises:
        RetryableError: the download failed.
        ConfigurationError: the archive is not the pinned one: its sha256 differs.
    """
    target = folder / package.archive
    if target.is_file() and sha256_of(target) == package.sha256:
        progress(package.size)
        return target
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        download_with = _with_npm if package.index == "npm" else _with_pip
        archive = download_with(package, Path(scratch), progress)
        if sha256_of(archive) != package.sha256:
            raise ConfigurationError(
                f"{package.name}: the registry's {archive.name} is not the pinned archive; "
                "nothing of it was used"
            )
        archive.replace(target)
    progress(package.size)
    return target


def _with_pip(package: Package, scratch: Path, progress: Progress) -> Path:
    """Download by hash: pip refuses any other archive before it opens it."""
    downloaded = scratch / "downloaded"
    requirement = scratch / "pinned.txt"
    requirement.write_text(f"{package.name} --hash=sha256:{package.sha256}\n", "utf-8")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-input", "--quiet"]
    command += ["--progress-bar", "raw", "--disable-pip-version-check"]
    command += ["--require-hashes", "-r", str(requirement), "-d", str(downloaded)]
    if package.sdist:
        command += ["--no-binary", ":all:"]
    else:
        command += ["--only-binary", ":all:"]
    if package.platform:
        command += ["--platform", package.platform, "--python-version", "3.11"]
        command += ["--implementation", "cp"]
    _run(command, package, progress)
    return _only_file(downloaded, package)


def _with_npm(package: Package, scratch: Path, progress: Progress) -> Path:
    downloaded = scratch / "downloaded"
    downloaded.mkdir()
    name = "@".join(package.name.rsplit("==", 1))
    command = [*npm_command(), "pack", name, "--pack-destination", str(downloaded), "--silent"]
    _run(command, package, progress)
    return _only_file(downloaded, package)


def _only_file(folder: Path, package: Package) -> Path:
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    if len(files) != 1:
        raise RetryableError(f"{package.name}: the registry delivered no archive; try again")
    return files[0]


def _run(command: Sequence[str], package: Package, progress: Progress) -> None:
    with subprocess.Popen(  # noqa: S603 - arguments come from our manifest
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        output: list[str] = []
        assert process.stdout is not None  # noqa: S101 - PIPE was asked for
        for line in process.stdout:
            received = _RAW_PROGRESS.search(line)
            if received:
                progress(min(int(received.group(1)), package.size))
            elif line.strip():
                output.append(line.strip())
    if process.returncode != 0:
        reason = one_line(" ".join(output[-3:]), 300)
        raise RetryableError(f"{package.name} could not be downloaded ({reason}): try again")
