"""In-memory fake of the installation's key."""

import hashlib
import hmac


class MemoryInstallationKey:
    """A key of a fake installation: the same in each test, so that what it makes can be compared.

    Args:
        key: another installation has another one.
    """

    def __init__(self, key: bytes = b"a key of tests") -> None:
        self._key = key

    def mac(self, use: str, data: bytes) -> str:
        """Return an HMAC."""
        own = hmac.digest(self._key, use.encode(), hashlib.sha256)
        return hmac.digest(own, data, hashlib.sha256).hex()
