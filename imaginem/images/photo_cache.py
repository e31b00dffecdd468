"""Keeps the photos that were decoded last, for the steps of a job."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from imaginem.images.decoding import Photo, decode_photo

KEPT_SECONDS = 300.0
"""How long a decoded photo is kept in memory that no step asks for."""


def _in_a_thread(seconds: float, action: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, action)
    timer.daemon = True  # a process that ends waits for no photo
    timer.start()


class PhotoCache:
    """Keeps the last few decoded photos, since a job's steps ask for the same one in turn.

    A photo that nobody asks for goes after a while by itself: it may have been erased, and this
    process may never meet a message that tells.

    Args:
        pixels: most pixels of all the photos together.
        clock: returns seconds.
        later: does something after so many seconds.
    """

    def __init__(
        self,
        pixels: int = 10_000_000,
        *,
        clock: Callable[[], float] = time.monotonic,
        later: Callable[[float, Callable[[], None]], None] = _in_a_thread,
    ) -> None:
        self._limit = pixels
        self._clock, self._later = clock, later
        self._photos: OrderedDict[str, Photo] = OrderedDict()
        self._used: dict[str, float] = {}
        self._waiting = False
        self._lock = threading.Lock()

    def photo(self, key: str, read: Callable[[], bytes]) -> Photo:
        """Return a photo from the cache, or read and decode it.

        Args:
            key: identifies the photo: the same key must mean the same photo.
            read: returns the file's bytes; called when the photo is not in the cache.

        Raises:
            PermanentError: as of `decode_photo`; `read` may raise other errors.
        """
        with self._lock:
            if key in self._photos:
                self._photos.move_to_end(key)
                self._used[key] = self._clock()
                return self._photos[key]
        photo = decode_photo(read())
        with self._lock:
            self._photos[key] = photo
            self._used[key] = self._clock()
            while sum(map(_pixels, self._photos.values())) > self._limit:
                self._drop(next(iter(self._photos)))
            self._wait()
        return photo

    def forget(self, beginning: str) -> None:
        """Drop the photos whose key begins so."""
        with self._lock:
            for key in [key for key in self._photos if key.startswith(beginning)]:
                self._drop(key)

    def _drop(self, key: str) -> None:
        self._photos.pop(key, None)
        self._used.pop(key, None)

    def _wait(self) -> None:
        """See to it that the photo that is idle for longest goes in time."""
        if self._used and not self._waiting:
            self._waiting = True
            self._later(min(self._used.values()) + KEPT_SECONDS - self._clock(), self._drop_idle)

    def _drop_idle(self) -> None:
        with self._lock:
            self._waiting = False
            idle_since = self._clock() - KEPT_SECONDS
            for key in [key for key, used in self._used.items() if used <= idle_since]:
                self._drop(key)
            self._wait()


def _pixels(photo: Photo) -> int:
    return photo.width * photo.height
