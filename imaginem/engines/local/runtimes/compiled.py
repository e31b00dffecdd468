"""Compiled networks on disk, so that the next process need not compile them again."""

import hashlib
import json
import logging
import os
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_logger = logging.getLogger("imaginem.engines.local")
_DIGEST_BYTES = hashlib.sha256().digest_size
_LENGTH_BYTES = 4
_KEPT = 4  # of one network, so that machines of several kinds may share a folder
_PARTIAL = ".part"
_ABANDONED_SECONDS = 3600.0
"""Nobody writes for as long; on a folder that is shared, clocks may differ by less."""


@dataclass(frozen=True)
class CompiledNetwork:
    """A network as OpenVINO exports it.

    Attributes:
        blob: what is imported again.
        metadata: the texts of the network's file, which an export leaves out.
    """

    blob: bytes
    metadata: Mapping[str, str]

    def encode(self) -> bytes:
        """Return it with its digest in front, which tells when the file was torn."""
        texts = json.dumps(dict(self.metadata)).encode()
        content = len(texts).to_bytes(_LENGTH_BYTES, "big") + texts + self.blob
        return hashlib.sha256(content).digest() + content


def decode(data: bytes) -> CompiledNetwork | None:
    """Return what `encode` made; None if it is anything else."""
    digest, content = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        return None
    end = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "big")
    return CompiledNetwork(content[end:], json.loads(content[_LENGTH_BYTES:end]))


class CompiledCache:
    """Keeps compiled networks in a folder. A folder or a file that fails only costs time.

    Args:
        folder: made when it is first written to; it may be read-only.
        environment: everything besides the network that a compilation depends on, as text.
    """

    def __init__(self, folder: Path, environment: str) -> None:
        self._folder = folder
        self._environment = environment

    def read(self, network: Path) -> CompiledNetwork | None:
        """Return a network that was kept; None if there is none, or what is there is damaged.

        Args:
            network: the ONNX file.
        """
        place = self._place(network)
        try:
            found = decode(place.read_bytes())
        except OSError:
            return None
        if found is None:
            _logger.warning("%s is damaged: %s is compiled anew", place.name, network.name)
        return found

    def write(self, network: Path, compiled: CompiledNetwork) -> None:
        """Keep a network: readers see all of it or nothing.

        Args:
            network: the ONNX file.
            compiled: the network.
        """
        place = self._place(network)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._drop_abandoned()
            handle, name = tempfile.mkstemp(dir=self._folder, suffix=_PARTIAL)
        except OSError:
            return
        partial = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(compiled.encode())
            partial.replace(place)
        except OSError:  # a disk that is full needs the room
            with suppress(OSError):
                partial.unlink()
            return
        self._drop_old(network)

    def _place(self, network: Path) -> Path:
        with network.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        key = hashlib.sha256(f"{content} {self._environment}".encode()).hexdigest()
        return self._folder / f"{network.stem}.{key[:16]}.compiled"

    def _drop_old(self, network: Path) -> None:
        with suppress(OSError):  # another process may drop them at the same time
            files = sorted(
                self._folder.glob(f"{network.stem}.*.compiled"),
                key=lambda file: file.stat().st_mtime,
            )
            for file in files[:-_KEPT]:
                file.unlink()

    def _drop_abandoned(self) -> None:
        """Remove what processes left half-written that were killed."""
        for file in self._folder.glob(f"*{_PARTIAL}"):
            with suppress(OSError):  # as above
                if time.time() - file.stat().st_mtime > _ABANDONED_SECONDS:
                    file.unlink()
