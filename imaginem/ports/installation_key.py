"""The installation's key: what Imaginem signs with, and makes names unreadable with."""

import hmac
from typing import Protocol


class InstallationKey(Protocol):
    """A secret of this installation, the same in each of its processes, that is never shown."""

    def mac(self, use: str, data: bytes) -> str:
        """Return the HMAC-SHA-256 of some bytes, in hexadecimal.

        Args:
            use: what it is for, such as `audit.id`; a MAC of one use is none of another.
            data: what is signed or hidden.

        Raises:
            StorageUnavailable: the key could not be read.
        """


def is_signed(key: InstallationKey, use: str, data: bytes, mac: str) -> bool:
    """Tell whether a MAC was made with this key, for this use, of these bytes."""
    return hmac.compare_digest(key.mac(use, data).encode(), mac.encode("utf-8", "replace"))
