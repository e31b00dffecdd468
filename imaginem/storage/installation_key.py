"""The installation's key, made once and kept in `pipelinestate`."""

import contextlib
import hashlib
import hmac
import secrets
import threading

from imaginem.errors import Conflict, PermanentError
from imaginem.ports import SharedState

ENTRY = "installation-key"
_BYTES = 32


class StoredInstallationKey:
    """The key of this storage account; whoever needs it first makes it.

    Args:
        shared_state: where it is kept.
    """

    def __init__(self, shared_state: SharedState) -> None:
        self._shared_state = shared_state
        self._lock = threading.Lock()
        self._key = b""

    def mac(self, use: str, data: bytes) -> str:
        """Return an HMAC; the first call of a process reads the key, or makes it."""
        own = hmac.digest(self._read_or_make(), use.encode(), hashlib.sha256)
        return hmac.digest(own, data, hashlib.sha256).hex()

    def _read_or_make(self) -> bytes:
        with self._lock:
            if not self._key:
                self._key = self._read() or self._make()
            return self._key

    def _read(self) -> bytes:
        kept = self._shared_state.read(ENTRY)
        if kept is None:
            return b""
        try:
            key = bytes.fromhex(kept[0])
        except ValueError:
            key = b""
        if len(key) != _BYTES:
            raise PermanentError(
                f"the entry {ENTRY} of pipelinestate is not a key: restore it from a backup"
            )
        return key

    def _make(self) -> bytes:
        made = secrets.token_bytes(_BYTES)
        with contextlib.suppress(Conflict):  # another process was first
            self._shared_state.write(ENTRY, made.hex(), "")
        return self._read()
