"""A blob listener: runs a function for each new or changed blob of a container.

Azure is told of blobs by Event Grid; here the container is listed again and again. As the
Functions host does, the listener keeps a receipt of every blob that was handled, by name and
ETag, in the container `azure-webjobs-hosts`: so a restart starts nothing twice, and misses no
blob that came in between. As with Event Grid, blobs that were there before the listener ran for
the first time start nothing.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from imaginem.errors import ImaginemError, NotFound, PermanentError, StorageUnavailable
from imaginem.functions import BLOB_POISON_QUEUE, starts_nothing
from imaginem.host.blob_names import explain, explain_part, names_by_parts
from imaginem.host.blob_reports import poison_report, receipt_of
from imaginem.host.config import HostConfig
from imaginem.host.lanes import Lane
from imaginem.host.leases import redelivery_delay
from imaginem.host.steady import SteadyThread, wait_until
from imaginem.host.triggers import Trigger
from imaginem.host.worker_process import Sent
from imaginem.ports import BlobInfo, Blobs, Queues

_logger = logging.getLogger("imaginem.host")

RECEIPTS = "azure-webjobs-hosts"
_RECEIPTS_LIMIT = 256 * 2**20
_LOOK_EVERY = 1.0
_REST_AFTER_NAMES, _REST_AFTER_SCAN = 10, 20
"""Pause after a look, as a multiple of its time: a large container is looked into less often."""
_STATS_AT_ONCE = 50
_LOOK_IN_PARTS_AFTER = 3
"""Failed looks in a row after which the container is listed in parts."""
_SAVE_EVERY = 5.0


@dataclass
class _Waiting:
    """A blob whose function has not succeeded yet; `due` is of `time.monotonic`."""

    blob: BlobInfo
    failures: int = 0
    due: float = 0.0


class BlobListener:
    """Runs a function for each blob of a container that is new or was written again.

    Args:
        trigger: of the function.
        blobs: what is listed, and where receipts are kept.
        queues: where blobs are reported whose function fails again and again.
        lane: to the workers that run the function.
        config: the rules of `host.json`; a failed blob is tried again as late as a message.
        on_sent: called when this has sent a message, with the queues.
    """

    def __init__(
        self,
        trigger: Trigger,
        blobs: Blobs,
        queues: Queues,
        lane: Lane,
        config: HostConfig,
        on_sent: Callable[[Sequence[str]], None] = lambda sent: None,
    ) -> None:
        self._trigger, self._blobs, self._queues = trigger, blobs, queues
        self._lane, self._config, self._on_sent = lane, config, on_sent
        self._container, _, pattern = trigger.path.partition("/")
        self._names = re.compile(re.sub(r"\\\{\w+\\\}", ".+", re.escape(pattern)), re.DOTALL)
        self._handled: set[str] = set()
        self._waiting: dict[str, _Waiting] = {}
        self._running: set[str] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._known: set[str] = set()
        self._next_look = self._next_scan = self._saved = 0.0
        self._unsaved = self._begun = False
        self._failures = 0
        self._thread = SteadyThread("blobs", self._run, self._stop)

    def start(self) -> None:
        """Begin: from here on, blobs that are written run the function.

        Raises:
            StorageUnavailable: the receipts can't be read.
        """
        self._blobs.make(self._container)  # tools that drop photos don't
        try:
            text = self._blobs.get(RECEIPTS, self._receipts, _RECEIPTS_LIMIT).decode()
        except NotFound:
            self._handled = set(self._listed())
            self._save()
        else:
            self._handled = set(text.split())
        self._begun = True
        self._thread.start()

    def cease(self) -> None:
        """Start no further function; what no worker has begun is taken up after a restart."""
        self._stop.set()
        self._wake.set()
        self._lane.cancel_pending()

    def join(self, seconds: float) -> bool:
        """Wait for some seconds for functions that run; keep the receipts; tell whether all ended.

        A blob whose function has not ended is taken up again after a restart.
        """
        deadline = time.monotonic() + seconds
        if self._begun:
            self._thread.join(seconds)
            wait_until(lambda: not self._running, deadline - time.monotonic())
            self._save()
        return not self._running

    @property
    def lost(self) -> str:
        """Name of the thread if it has ended by itself; else empty."""
        return self._thread.lost

    def poll(self) -> int:
        """List the container if that is due, start functions; return how many run."""
        now = time.monotonic()
        if now >= self._next_look:
            self._look()
        if self._unsaved and now - self._saved >= _SAVE_EVERY:
            self._save()
        for receipt in self._due(now):
            if len(self._running) >= self._config.max_blobs or not self._lane.has_room:
                break
            self._start(receipt)
        return len(self._running)

    @property
    def _receipts(self) -> str:
        return f"imaginem/blobreceipts/{self._trigger.function}/{self._container}"

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            self.poll()
            self._wake.wait(_LOOK_EVERY)

    def _listed(self) -> dict[str, BlobInfo]:
        """Return the container's blobs by receipt, as far as the trigger wants them."""
        found = list(self._blobs.scan(self._container))
        self._known = {blob.name for blob in found}
        return {receipt_of(blob): blob for blob in found if self._names.fullmatch(blob.name)}

    def _look(self) -> None:
        """Take up blobs that are new or changed.

        Names alone are listed ten times as fast as ETags, so new blobs are found by their names,
        and replaced ones by a scan, which large containers get less often.
        """
        begun = time.monotonic()
        try:
            if begun >= self._next_scan or not self._found_by_name():
                self._scan()
            self._failures = 0
        except Exception as problem:
            self._failures += 1
            explain(self._container, problem, self._failures)
            if self._failures >= _LOOK_IN_PARTS_AFTER:
                self._look_in_parts()
        took = time.monotonic() - begun
        self._next_look = begun + took + max(_LOOK_EVERY, _REST_AFTER_NAMES * took)

    def _look_in_parts(self) -> None:
        """Take up new names in those parts of the container that can be listed."""
        list_names = partial(self._blobs.list, self._container)
        names, failed = names_by_parts(list_names, self._known)
        if names and failed:
            explain_part(self._container, max(failed, key=len), self._failures)
        with suppress(ImaginemError):
            self._take_up_names(sorted(names - self._known)[:_STATS_AT_ONCE])

    def _found_by_name(self) -> bool:
        """Take up blobs with new names; tell whether that was possible without a scan."""
        names = set(self._blobs.list(self._container, ""))
        new = sorted(names - self._known)
        if len(new) > _STATS_AT_ONCE:
            return False
        self._known &= names
        return self._take_up_names(new)

    def _take_up_names(self, names: list[str]) -> bool:
        """Take up blobs by name; tell whether that was possible."""
        for name in names:
            if self._names.fullmatch(name):
                try:
                    blob = self._blobs.stat(self._container, name)
                except NotFound:
                    continue
                except PermanentError:  # a name that has to be taken from a list
                    return False
                self._take_up({receipt_of(blob): blob})
            self._known.add(name)
        return True

    def _scan(self) -> None:
        begun = time.monotonic()
        listed = self._listed()
        with self._lock:
            gone = self._handled - listed.keys()
            self._handled -= gone
            self._unsaved |= bool(gone)
        self._take_up(listed)
        took = time.monotonic() - begun
        self._next_scan = begun + took + max(_LOOK_EVERY, _REST_AFTER_SCAN * took)

    def _take_up(self, blobs: dict[str, BlobInfo]) -> None:
        with self._lock:
            for receipt in blobs.keys() - self._handled - self._waiting.keys():
                blob, function = blobs[receipt], self._trigger.function
                if starts_nothing(function, self._container, blob.name, blob.metadata):
                    self._handled.add(receipt)
                    self._unsaved = True
                else:
                    self._waiting[receipt] = _Waiting(blob)

    def _due(self, now: float) -> list[str]:
        with self._lock:
            return [
                receipt
                for receipt, waiting in self._waiting.items()
                if waiting.due <= now and receipt not in self._running
            ]

    def _start(self, receipt: str) -> None:
        blob = self._waiting[receipt].blob
        message = {
            "path": f"{self._container}/{blob.name}",
            "uri": self._blobs.address(self._container, blob.name),
            "length": blob.size,
            "etag": blob.etag,
            "metadata": dict(blob.metadata),
        }
        with self._lock:
            self._running.add(receipt)
        try:
            future = self._lane.submit(self._trigger.function, kind="blob", **message)
        except BaseException:
            self._running.discard(receipt)  # or it would count as running for ever
            raise
        future.add_done_callback(lambda future: self._ended(receipt, future))

    def _ended(self, receipt: str, future: "Future[Sent]") -> None:
        waiting = self._waiting[receipt]
        failed = not future.cancelled() and future.exception() is not None
        handled = not (failed or future.cancelled())
        try:
            if failed:
                waiting.failures += 1
                delay = redelivery_delay(waiting.failures, self._config.visibility_timeout)
                waiting.due = time.monotonic() + delay
                if waiting.failures >= self._config.poison_blob_threshold:
                    handled = self._poison(waiting.blob)
        finally:
            with self._lock:
                self._running.discard(receipt)
                if handled:
                    del self._waiting[receipt]
                    self._handled.add(receipt)
                    self._unsaved = True
            self._wake.set()

    def _poison(self, blob: BlobInfo) -> bool:
        """Report a blob whose function failed too often; tell whether that was possible."""
        _logger.error("%s: the blob %s is poisoned", self._trigger.function, blob.name)
        report = poison_report(self._trigger.function, self._container, blob)
        try:
            self._queues.send(BLOB_POISON_QUEUE, report)
            self._on_sent([BLOB_POISON_QUEUE])
        except StorageUnavailable as problem:
            _logger.warning("%s; trying again", problem)
            return False
        return True

    def _save(self) -> None:
        """Keep the receipts; if that fails, some functions run again after a restart."""
        with self._lock:
            text, self._unsaved = "\n".join(sorted(self._handled)), False
        self._saved = time.monotonic()
        try:
            self._blobs.put(RECEIPTS, self._receipts, text.encode(), "text/plain")
        except (StorageUnavailable, PermanentError) as problem:
            _logger.warning("receipts of blobs were not kept: %s", problem)
            self._unsaved = True
